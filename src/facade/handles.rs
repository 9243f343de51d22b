//! The handles that macros and families give out.

use metrics::{Key, Label};

pub use super::early::Early;
pub(crate) use super::lazy_family::OUTSIDE;
pub use super::observed::{InStore, Observable};
pub(super) use super::running::{Running, Taken};
use super::{
    binding::Binding,
    call_site::SiteCore,
    held::Held,
    lazy_family::{Found, LazyFamilyCore},
    number::Number,
};
pub use crate::dispatch::target::{describe, is_on};
use crate::{
    dispatch::{
        switch,
        target::{Gated, target},
    },
    schema::family::FamilyDef,
    storage::{
        counter::{CounterCell, CounterOp},
        gauge::{GaugeCell, GaugeOp},
        histogram::{HistogramCell, HistogramOp},
        owner::Stored,
        resolved::Resolved,
        store::Store,
    },
};

/// Whether this build records anything.
pub const COMPILED: bool = true;

/// A handle of one kind.
pub trait Handle: Sized + 'static {
    #[doc(hidden)]
    type Cell: Stored;
    #[doc(hidden)]
    fn wrap(binding: Binding<Self::Cell>) -> Self;
}

impl Early {
    /// The handle.
    #[inline(always)]
    pub fn handle<H: Handle>(&'static self) -> H {
        H::wrap(Binding::Early(self))
    }
}

/// A call site: a small static that caches the series it records to.
#[derive(Debug)]
pub struct Site<H: Handle>(SiteCore<H::Cell>);

impl<H: Handle> Site<H> {
    /// A call site of this name with these labels.
    #[must_use]
    pub const fn new(name: &'static str, labels: &'static [Label]) -> Self {
        Self(SiteCore::new(name, labels))
    }

    /// A call site of one run of a model.
    #[cfg(all(test, models))]
    pub(crate) fn of_this_run(name: &'static str) -> &'static Self {
        Box::leak(Box::new(Self(SiteCore::of_this_run(name))))
    }

    /// The handle, which asks the call site at every record.
    #[inline]
    pub fn handle(&'static self) -> H {
        self.0.take();
        H::wrap(Binding::Site(&self.0))
    }
}

/// The part of a [`Family`](crate::Family) that finds its series.
#[derive(Debug)]
pub struct LazyFamily<H: Handle>(LazyFamilyCore<H::Cell>);

impl<H: Handle> LazyFamily<H> {
    pub(crate) const fn new(def: &'static FamilyDef) -> Self {
        Self(LazyFamilyCore::new(def))
    }

    /// A family of one run of a model.
    #[cfg(all(test, models))]
    pub(crate) fn of_this_run(def: &'static FamilyDef) -> Self {
        Self(LazyFamilyCore::of_this_run(def))
    }

    pub(crate) fn def(&self) -> &'static FamilyDef {
        self.0.def()
    }

    #[inline(always)]
    pub(crate) fn dense(&'static self, index: usize) -> H {
        self.0.take();
        H::wrap(Binding::LazyFamily(&self.0, index))
    }

    /// A handle for one record of a family without labels. The record makes the series, so it need not be made here; only a
    /// muted thread records nothing, and the series has to be there all the same.
    #[inline(always)]
    pub(crate) fn to_record(&'static self) -> H {
        if switch::CAN_MUTE {
            self.0.take();
        }
        H::wrap(Binding::LazyFamily(&self.0, 0))
    }

    /// A series whose labels are free text, looked up now. The values are not evaluated while monitoring is off.
    #[inline(always)]
    pub(crate) fn text<'a, const N: usize>(&'static self, values: impl FnOnce() -> [&'a str; N]) -> H {
        let state = switch::load_for_handle();
        H::wrap(match if state == 0 { None } else { self.0.find(state, &values()) } {
            None => Binding::Early(self.0.early()),
            Some(Found::Kept(series)) => Binding::Kept(series),
            Some(Found::Counted(series)) => Binding::Counted(series),
            Some(Found::Gated(series)) => Binding::Gated(series),
        })
    }

    #[inline(always)]
    pub(crate) fn remove<'a, const N: usize>(&'static self, values: impl FnOnce() -> [&'a str; N]) {
        self.0.remove(values);
    }

    pub(crate) fn clear(&'static self) {
        self.0.clear();
    }

    pub(crate) fn declare(&'static self, registrar: &Registrar<'_>) {
        if let Some(store) = registrar.0 {
            let _ = store.diagnostics.catch_and_report(self.def().name, || self.declare_in(store));
        }
    }

    /// The same for a store that is being made. There the lock of the life cycle is held, so a slow path would not be entered.
    pub(crate) fn declare_in(&self, store: &Store) {
        let _ = store.family::<H::Cell>(self.def());
    }

    /// One series in the store of one service, whatever scope this is.
    pub(crate) fn series_in(&self, store: &Store, values: &[&str]) -> Resolved<H::Cell> {
        store.declared_series(self.def(), values)
    }
}

/// Where families are declared: the store of a service, while it is on.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registrar<'a>(pub(crate) Option<&'a Store>);

/// The handle of a key with computed labels. The function behind it returns one pointer, in a register: so the call site needs
/// no memory for the handle of the off state.
#[inline(always)]
pub fn resolve<H: Handle>(key: &Key) -> H {
    H::wrap(Binding::Gated(resolve_held(key)))
}

#[inline(never)]
fn resolve_held<C: Stored>(key: &Key) -> Held<Gated<C>> {
    let target = target();
    let Some(store) = target.store() else { return Held::new(None) };
    let find = || Held::new(Gated::new(store.resolve::<C>(key), &target));
    store.diagnostics.catch_and_report(key.name(), find).unwrap_or_else(|| Held::new(None))
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $cell:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[must_use = "a handle does nothing until it records"]
        pub struct $name(Binding<$cell>);

        impl $name {
            /// A handle that records nothing.
            pub const fn noop() -> Self {
                Self(Binding::Off)
            }
        }

        impl Handle for $name {
            type Cell = $cell;
            #[inline]
            fn wrap(binding: Binding<$cell>) -> Self {
                Self(binding)
            }
        }

        impl From<metrics::$name> for $name {
            fn from(raw: metrics::$name) -> Self {
                Self(Binding::Gated(Held::new(Some(Gated::foreign(raw)))))
            }
        }

        impl From<$name> for metrics::$name {
            fn from(handle: $name) -> Self {
                handle.0.into_raw()
            }
        }
    };
}

handle!(
    /// A counter handle. It reads one byte at every record, and records nothing while monitoring is off.
    Counter,
    CounterCell
);
handle!(
    /// A gauge handle. It reads one byte at every record, and records nothing while monitoring is off.
    Gauge,
    GaugeCell
);
handle!(
    /// A histogram handle. It reads one byte at every record, and records nothing while monitoring is off.
    Histogram,
    HistogramCell
);

impl Observable for Gauge {
    fn set_in(&self, store: &InStore<'_>, value: f64) {
        self.0.record_in(store, GaugeOp::Set(value));
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

/// A counter is raised to what is read; a smaller value changes nothing.
impl Observable for Counter {
    fn set_in(&self, store: &InStore<'_>, value: f64) {
        self.0.record_in(store, CounterOp::Absolute(value as u64));
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

impl Counter {
    /// Adds to the counter.
    #[inline]
    pub fn increment(&self, value: u64) {
        self.0.record(CounterOp::Increment(value));
    }

    /// Raises the counter to a value that was counted elsewhere. A smaller value changes nothing.
    #[inline]
    pub fn absolute(&self, value: u64) {
        self.0.record(CounterOp::Absolute(value));
    }
}

impl Gauge {
    /// Adds to the gauge.
    #[inline]
    pub fn increment<T: Number>(&self, value: T) {
        self.0.record(GaugeOp::Add(value.to_f64()));
    }

    /// Subtracts from the gauge.
    #[inline]
    pub fn decrement<T: Number>(&self, value: T) {
        self.0.record(GaugeOp::Add(-value.to_f64()));
    }

    #[inline(always)]
    pub(super) fn take_one(&self) -> Option<Taken> {
        Taken::new(&self.0)
    }

    /// Sets the gauge. An increment or decrement on another thread at the same moment is either replaced or comes on
    /// top.
    #[inline]
    pub fn set<T: Number>(&self, value: T) {
        self.0.record(GaugeOp::Set(value.to_f64()));
    }
}

impl Histogram {
    /// Records one sample, in the unit of the family. A `Duration` is taken as seconds.
    #[inline]
    pub fn record<T: Number>(&self, value: T) {
        self.0.record(HistogramOp { value: value.to_f64(), times: 1 });
    }

    #[inline(always)]
    pub(super) fn start(&self) -> Option<Running> {
        Running::start(&self.0)
    }

    /// Records the same sample several times.
    #[inline]
    pub fn record_many<T: Number>(&self, value: T, count: usize) {
        if count > 0 {
            self.0.record(HistogramOp { value: value.to_f64(), times: count as u64 });
        }
    }
}
