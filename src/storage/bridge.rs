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

impl Bridge for CounterCell {
    type Raw = metrics::Counter;

    fn apply_raw(raw: &metrics::Counter, op: CounterOp) {
        match op {
            CounterOp::Increment(by) => raw.increment(by),
            CounterOp::Absolute(value) => raw.absolute(value),
        }
    }

    fn raw_noop() -> metrics::Counter {
        metrics::Counter::noop()
    }

    fn raw_from<A: Apply<Self>>(target: Arc<A>) -> metrics::Counter {
        metrics::Counter::from_arc(Arc::new(Target(target)))
    }

    fn raw_series(series: Arc<Series<Self>>) -> metrics::Counter {
        metrics::Counter::from_arc(series)
    }
}

impl<A: Apply<CounterCell>> metrics::CounterFn for Target<A> {
    fn increment(&self, value: u64) {
        self.0.apply(CounterOp::Increment(value));
    }
    fn absolute(&self, value: u64) {
        self.0.apply(CounterOp::Absolute(value));
    }
}

impl metrics::CounterFn for Series<CounterCell> {
    fn increment(&self, value: u64) {
        self.apply(CounterOp::Increment(value));
    }
    fn absolute(&self, value: u64) {
        self.apply(CounterOp::Absolute(value));
    }
}

impl Bridge for GaugeCell {
    type Raw = metrics::Gauge;

    fn apply_raw(raw: &metrics::Gauge, op: GaugeOp) {
        match op {
            GaugeOp::Add(by) => raw.increment(by),
            GaugeOp::Set(value) => raw.set(value),
        }
    }

    fn raw_noop() -> metrics::Gauge {
        metrics::Gauge::noop()
    }

    fn raw_from<A: Apply<Self>>(target: Arc<A>) -> metrics::Gauge {
        metrics::Gauge::from_arc(Arc::new(Target(target)))
    }

    fn raw_series(series: Arc<Series<Self>>) -> metrics::Gauge {
        metrics::Gauge::from_arc(series)
    }
}

impl<A: Apply<GaugeCell>> metrics::GaugeFn for Target<A> {
    fn increment(&self, value: f64) {
        self.0.apply(GaugeOp::Add(value));
    }
    fn decrement(&self, value: f64) {
        self.0.apply(GaugeOp::Add(-value));
    }
    fn set(&self, value: f64) {
        self.0.apply(GaugeOp::Set(value));
    }
}

impl metrics::GaugeFn for Series<GaugeCell> {
    fn increment(&self, value: f64) {
        self.apply(GaugeOp::Add(value));
    }
    fn decrement(&self, value: f64) {
        self.apply(GaugeOp::Add(-value));
    }
    fn set(&self, value: f64) {
        self.apply(GaugeOp::Set(value));
    }
}

impl Bridge for HistogramCell {
    type Raw = metrics::Histogram;

    fn apply_raw(raw: &metrics::Histogram, HistogramOp { value, times }: HistogramOp) {
        if times == 1 {
            raw.record(value);
        } else {
            raw.record_many(value, usize::try_from(times).unwrap_or(usize::MAX));
        }
    }

    fn raw_noop() -> metrics::Histogram {
        metrics::Histogram::noop()
    }

    fn raw_from<A: Apply<Self>>(target: Arc<A>) -> metrics::Histogram {
        metrics::Histogram::from_arc(Arc::new(Target(target)))
    }

    fn raw_series(series: Arc<Series<Self>>) -> metrics::Histogram {
        metrics::Histogram::from_arc(series)
    }

    fn raw_samples<T>(series: Arc<Series<T>>) -> Option<metrics::Histogram>
    where
        T: Send + Sync + 'static,
        Series<T>: Apply<HistogramCell>,
    {
        Some(metrics::Histogram::from_arc(series))
    }
}

impl<A: Apply<HistogramCell>> metrics::HistogramFn for Target<A> {
    fn record(&self, value: f64) {
        self.0.apply(HistogramOp { value, times: 1 });
    }
    fn record_many(&self, value: f64, count: usize) {
        self.0.apply(HistogramOp { value, times: count as u64 });
    }
}

impl<T> metrics::HistogramFn for Series<T>
where
    Series<T>: Apply<HistogramCell>,
{
    fn record(&self, value: f64) {
        self.apply(HistogramOp { value, times: 1 });
    }
    fn record_many(&self, value: f64, count: usize) {
        self.apply(HistogramOp { value, times: count as u64 });
    }
}
