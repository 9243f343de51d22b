//! Values of this crate behind handles of the `metrics` crate, and such handles as something that takes changes.

use std::{fmt::Debug, sync::Arc};

use super::{
    cell::{Apply, Cell},
    counter::{CounterCell, CounterOp},
    gauge::{GaugeCell, GaugeOp},
    histogram::{HistogramCell, HistogramOp},
    series::Series,
};

/// A kind of value that the `metrics` crate has a handle for.
pub trait Bridge: Cell {
    /// That handle.
    type Raw: Clone + Debug + Send + Sync + 'static;

    /// Changes the value behind such a handle.
    fn apply_raw(raw: &Self::Raw, op: Self::Op);
    /// A handle that does nothing.
    fn raw_noop() -> Self::Raw;
    /// A handle on something that takes changes.
    fn raw_from<A: Apply<Self>>(target: Arc<A>) -> Self::Raw;
    /// A handle on a series. It needs no wrapper, and so no allocation.
    fn raw_series(series: Arc<Series<Self>>) -> Self::Raw;

    /// A handle on a series of another type that takes samples.
    #[doc(hidden)]
    fn raw_samples<T>(_: Arc<Series<T>>) -> Option<Self::Raw>
    where
        T: Send + Sync + 'static,
        Series<T>: Apply<HistogramCell>,
    {
        None
    }
}

/// Lets the traits of `metrics` be implemented for everything that takes changes.
struct Target<A>(Arc<A>);

/// `cell, handle, its trait { methods }, how to apply a change; more methods`: both directions for one kind of value.
macro_rules! bridge {
    (
        $cell:ty, $raw:ident,
        $trait:ident { $(fn $method:ident($($value:ident: $type:ty),*) $op:expr;)* },
        |$handle:ident, $change:ident| $apply:expr;
        $($more:item)*
    ) => {
        impl Bridge for $cell {
            type Raw = metrics::$raw;

            fn apply_raw($handle: &metrics::$raw, $change: Self::Op) {
                $apply
            }

            fn raw_noop() -> metrics::$raw {
                metrics::$raw::noop()
            }

            fn raw_from<A: Apply<Self>>(target: Arc<A>) -> metrics::$raw {
                metrics::$raw::from_arc(Arc::new(Target(target)))
            }

            fn raw_series(series: Arc<Series<Self>>) -> metrics::$raw {
                metrics::$raw::from_arc(series)
            }

            $($more)*
        }

        impl<A: Apply<$cell>> metrics::$trait for Target<A> {
            $(fn $method(&self, $($value: $type),*) {
                self.0.apply($op);
            })*
        }

        impl<T> metrics::$trait for Series<T>
        where
            Self: Apply<$cell>,
        {
            $(fn $method(&self, $($value: $type),*) {
                self.apply($op);
            })*
        }
    };
}

bridge! {
    CounterCell, Counter,
    CounterFn {
        fn increment(value: u64) CounterOp::Increment(value);
        fn absolute(value: u64) CounterOp::Absolute(value);
    },
    |raw, op| match op {
        CounterOp::Increment(by) => raw.increment(by),
        CounterOp::Absolute(value) => raw.absolute(value),
    };
}

bridge! {
    GaugeCell, Gauge,
    GaugeFn {
        fn increment(value: f64) GaugeOp::Add(value);
        fn decrement(value: f64) GaugeOp::Add(-value);
        fn set(value: f64) GaugeOp::Set(value);
    },
    |raw, op| match op {
        GaugeOp::Add(by) => raw.increment(by),
        GaugeOp::Set(value) => raw.set(value),
    };
}

bridge! {
    HistogramCell, Histogram,
    HistogramFn {
        fn record(value: f64) HistogramOp { value, times: 1 };
        fn record_many(value: f64, count: usize) HistogramOp { value, times: count as u64 };
    },
    |raw, op| match op {
        HistogramOp { value, times: 1 } => raw.record(value),
        HistogramOp { value, times } => raw.record_many(value, usize::try_from(times).unwrap_or(usize::MAX)),
    };
    fn raw_samples<T>(series: Arc<Series<T>>) -> Option<metrics::Histogram>
    where
        T: Send + Sync + 'static,
        Series<T>: Apply<HistogramCell>,
    {
        Some(metrics::Histogram::from_arc(series))
    }
}
