//! A series that something keeps from its start to its end: a timer, a guard.
//!
//! It is found at the start. So the end goes where the start went, whatever thread and whatever scope it is in.

use std::{sync::Arc, time::Instant};

use super::{binding::Binding, call_site::SiteCore, early::Early, held::Held, lazy_family::LazyFamilyCore};
use crate::{
    dispatch::{
        switch::{self, GLOBAL},
        target::Gated,
    },
    storage::{
        anchor::Anchor,
        cell::Apply,
        dense::{DenseSeries, Slot},
        gauge::{GaugeCell, GaugeOp},
        histogram::{HistogramCell, HistogramOp},
        resolved::Resolved,
        series::Series,
        store::Stored,
    },
    support::{
        panics::catch_panic,
        reentrancy::{drop_slowly, slow},
    },
};

/// A series, and while it is the process's one service's, only while that is on.
#[derive(Debug)]
pub(super) enum Pinned<C: Stored> {
    /// A place of a dense table.
    Slot(&'static Arc<[Slot<C>]>, usize),
    /// What a call site cached.
    Site(&'static Resolved<C>),
    Series(&'static Series<C>),
    Counted(Held<Series<C>>),
    /// Also a series of a scope.
    Elsewhere(Held<Gated<C>>),
    /// A series whose labels nobody kept.
    Early(&'static Early),
}

impl<C: Stored> Pinned<C> {
    /// The series of a binding; nothing where a record made now goes nowhere.
    fn of(binding: BindingRef<'_, C>) -> Option<Self> {
        if let BindingRef::Early(early) = binding {
            return Some(Self::Early(early));
        }
        let state = switch::load_for_record();
        if state == 0 {
            return None;
        }
        let is_global = state & GLOBAL != 0;
        match binding {
            BindingRef::Early(_) => None,
            BindingRef::Site(site) => site.pin(state),
            BindingRef::LazyFamily(family, index) => family.pin(state, index),
            BindingRef::Kept(series) => is_global.then_some(Self::Series(series)),
            BindingRef::Counted(series) => is_global.then(|| Self::Counted(series.clone())),
            BindingRef::Elsewhere(series) => {
                series.get().is_some_and(|series| series.is_open(state)).then(|| Self::Elsewhere(series.clone()))
            }
        }
    }

    fn record(&self, op: C::Op) {
        if let Self::Early(early) = self {
            return early.record();
        }
        let state = switch::load_for_record();
        if let Self::Elsewhere(series) = self {
            if state != 0
                && let Some(series) = series.get()
            {
                series.record(state, op);
            }
        } else if state & GLOBAL != 0 {
            match self {
                Self::Slot(slots, index) => {
                    if let Some(slot) = slots.get(*index) {
                        slot.apply(op);
                    }
                }
                Self::Site(series) => series.apply(op),
                Self::Series(series) => series.apply(op),
                Self::Counted(series) => {
                    if let Some(series) = series.get() {
                        series.apply(op);
                    }
                }
                Self::Elsewhere(_) | Self::Early(_) => {}
            }
        }
    }

    /// The value of the series now.
    fn anchor(self) -> Option<Anchor<C>> {
        match self {
            Self::Slot(slots, index) => Anchor::of(&Resolved::Dense(DenseSeries::new(slots, index))),
            Self::Site(series) => Anchor::of(series),
            Self::Series(series) => Anchor::of_kept(series),
            Self::Counted(series) => Anchor::of(&Resolved::Series(series.share()?)),
            Self::Elsewhere(series) => Anchor::of(series.get()?.series()),
            Self::Early(early) => {
                early.record();
                None
            }
        }
    }
}

/// A binding in registers: a call site whose binding is taken by reference would have to keep it in memory.
pub(super) enum BindingRef<'a, C: Stored> {
    Site(&'static SiteCore<C>),
    LazyFamily(&'static LazyFamilyCore<C>, usize),
    Kept(&'static Series<C>),
    Early(&'static Early),
    Counted(&'a Held<Series<C>>),
    Elsewhere(&'a Held<Gated<C>>),
}

/// Calls a function with what a binding is bound to: the variant is known where a call site made it, and one arm remains. It
/// is not called where a record made now goes nowhere, as far as that can be said at once.
macro_rules! start_with {
    ($binding:expr, $start:path) => {
        match $binding {
            Binding::Off => None,
            Binding::Early(early) if !early.is_missed() => None,
            Binding::Early(early) => $start(BindingRef::Early(early)),
            _ if switch::load_for_record() == 0 => None,
            Binding::Site(site) => $start(BindingRef::Site(site)),
            Binding::LazyFamily(family, index) => $start(BindingRef::LazyFamily(family, *index)),
            Binding::Kept(series) => $start(BindingRef::Kept(series)),
            Binding::Counted(series) => $start(BindingRef::Counted(series)),
            Binding::Elsewhere(series) => $start(BindingRef::Elsewhere(series)),
        }
    };
}

/// What a timer has that runs.
#[derive(Debug)]
pub(super) struct Running {
    series: Pinned<HistogramCell>,
    start: Instant,
}

impl Running {
    #[inline(always)]
    pub(super) fn start(binding: &Binding<HistogramCell>) -> Option<Self> {
        start_with!(binding, Self::start_of)
    }

    /// For `extern "C"` see [`catch_panic`].
    #[inline(never)]
    #[allow(
        improper_ctypes_definitions,
        reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind"
    )]
    extern "C" fn start_of(binding: BindingRef<'_, HistogramCell>) -> Option<Self> {
        let mut series = None;
        catch_panic(|| series = Pinned::of(binding));
        Some(Self { series: series?, start: Instant::now() })
    }

    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "as above")]
    pub(super) extern "C" fn record(self) {
        let value = self.start.elapsed().as_secs_f64();
        catch_panic(|| self.series.record(HistogramOp { value, times: 1 }));
        drop_slowly(self);
    }

    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "as above")]
    pub(super) extern "C" fn discard(self) {
        drop_slowly(self);
    }
}

/// What a guard has that counted: the value that it gives one back to.
#[derive(Debug)]
pub(super) struct Taken(Anchor<GaugeCell>);

impl Taken {
    #[inline(always)]
    pub(super) fn new(binding: &Binding<GaugeCell>) -> Option<Self> {
        start_with!(binding, Self::new_of)
    }

    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "as above")]
    extern "C" fn new_of(binding: BindingRef<'_, GaugeCell>) -> Option<Self> {
        let mut anchor = None;
        slow(|| {
            anchor = Pinned::of(binding).and_then(Pinned::anchor);
            if let Some(anchor) = &anchor {
                anchor.apply(GaugeOp::Add(1.0));
            }
        });
        anchor.map(Self)
    }

    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "as above")]
    pub(super) extern "C" fn give_back(self) {
        catch_panic(|| self.0.apply(GaugeOp::Add(-1.0)));
        drop_slowly(self);
    }
}

#[cfg(all(test, feature = "temporal"))]
mod tests {
    use crate::{MonitoringService, dispatch::muting::mute};

    crate::families! {
        /// Timed in workflow code.
        histogram TIMED = "compozy_pinned_timed_seconds";
        /// Tracked in workflow code.
        gauge TRACKED = "compozy_pinned_tracked";
    }

    #[test]
    fn what_starts_in_a_replay_counts_nothing_and_what_ends_in_one_is_given_back_but_not_timed() {
        let service = MonitoringService::for_test();
        service.in_scope(|| {
            let totals = || {
                let snapshot = service.snapshot();
                (snapshot.total("compozy_pinned_timed_seconds_count"), snapshot.total("compozy_pinned_tracked"))
            };
            let muted = mute(true);
            let replayed = (TIMED.start_timer(), TRACKED.track());
            drop(muted);
            assert_eq!(totals(), (0.0, 0.0));
            drop(replayed);
            assert_eq!(totals(), (0.0, 0.0));
            let live = (TIMED.start_timer(), TRACKED.track());
            assert_eq!(totals(), (0.0, 1.0));
            let muted = mute(true);
            drop(live);
            drop(muted);
            assert_eq!(totals(), (0.0, 0.0));
        });
    }
}
