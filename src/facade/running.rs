//! What runs from a start to an end: what a timer and a guard have while they count.

use std::time::Instant;

use super::{
    binding::Binding, call_site::SiteCore, early::Early, held::Held, lazy_family::LazyFamilyCore, pinned::Pinned,
};
use crate::{
    dispatch::{
        switch::{self, GLOBAL},
        target::Gated,
    },
    storage::{
        anchor::Anchor,
        gauge::{GaugeCell, GaugeOp},
        histogram::{HistogramCell, HistogramOp},
        series::Series,
        store::Stored,
    },
    support::{
        panics::catch_panic,
        reentrancy::{drop_slowly, slow},
        striped::ThreadNumber,
    },
};

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

/// The series of a binding; nothing where a record made now goes nowhere.
fn pin<C: Stored>(binding: BindingRef<'_, C>) -> Option<Pinned<C>> {
    if let BindingRef::Early(early) = binding {
        return Some(Pinned::Early(early));
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
        BindingRef::Kept(series) => is_global.then_some(Pinned::Series(series)),
        BindingRef::Counted(series) => is_global.then(|| Pinned::Counted(series.clone())),
        BindingRef::Elsewhere(series) => {
            series.get().is_some_and(|series| series.is_open(state)).then(|| Pinned::Elsewhere(series.clone()))
        }
    }
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
        catch_panic(|| series = pin(binding));
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
pub(super) struct Taken {
    anchor: Anchor<GaugeCell>,
    thread: ThreadNumber,
}

impl Taken {
    #[inline(always)]
    pub(super) fn new(binding: &Binding<GaugeCell>) -> Option<Self> {
        start_with!(binding, Self::new_of)
    }

    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "as above")]
    extern "C" fn new_of(binding: BindingRef<'_, GaugeCell>) -> Option<Self> {
        let (mut anchor, thread) = (None, ThreadNumber::own());
        slow(|| {
            anchor = pin(binding).and_then(Pinned::anchor);
            if let Some(anchor) = &anchor {
                anchor.apply(GaugeOp::Enter(thread));
            }
        });
        Some(Self { anchor: anchor?, thread })
    }

    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "as above")]
    pub(super) extern "C" fn give_back(self) {
        catch_panic(|| self.anchor.apply(GaugeOp::Leave(self.thread)));
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
