//! What runs from a start to an end: what a timer and a guard have while they count.

use std::time::Instant;

use super::{binding::Binding, pinned::Pinned};
use crate::{
    storage::{
        anchor::Anchor,
        gauge::{GaugeCell, GaugeOp},
        histogram::{HistogramCell, HistogramOp},
    },
    support::{
        panics::{catch_panic, whole_after_a_panic},
        reentrancy::{drop_slowly, slow},
    },
};

/// What a timer has that runs.
#[derive(Debug)]
pub(super) struct Running {
    series: Pinned<HistogramCell>,
    start: Instant,
}

impl Running {
    #[inline(always)]
    pub(super) fn start(binding: &Binding<HistogramCell>) -> Option<Self> {
        binding.pin().map(|series| Self { series, start: now() })
    }

    #[inline(always)]
    pub(super) fn record(self) {
        record_since(self.series, self.start);
    }
}

/// For `extern "C"` see [`catch_panic`].
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind")]
extern "C" fn now() -> Instant {
    Instant::now()
}

/// In parts, which fit into registers.
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "as above")]
extern "C" fn record_since(series: Pinned<HistogramCell>, start: Instant) {
    let value = start.elapsed().as_secs_f64();
    series.record(HistogramOp { value, times: 1 });
}

/// What a guard has that counted: the value that it gives one back to.
#[derive(Debug)]
pub(super) struct Taken(Anchor<GaugeCell>);

whole_after_a_panic!(Taken);

impl Taken {
    #[inline(always)]
    pub(super) fn new(binding: &Binding<GaugeCell>) -> Option<Self> {
        Self::new_in(binding.pin()?)
    }

    #[inline(never)]
    #[allow(improper_ctypes_definitions, reason = "as above")]
    extern "C" fn new_in(series: Pinned<GaugeCell>) -> Option<Self> {
        let mut anchor = None;
        slow(|| {
            anchor = series.anchor();
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
