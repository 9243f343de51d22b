//! The value of a gauge.

use super::cell::Cell;
use crate::{
    schema::family::Kind,
    support::{
        atomic_f64::AtomicF64,
        on_demand::OnDemand,
        striped::{Lanes, ThreadNumber},
        sync::atomic::{
            AtomicU64,
            Ordering::{Acquire, Release},
        },
    },
};

/// A change of a gauge.
#[derive(Clone, Copy, Debug)]
pub enum GaugeOp {
    /// Adds, or takes away when negative.
    Add(f64),
    /// Replaces.
    Set(f64),
    /// Somebody is there now: one more.
    #[doc(hidden)]
    Enter(ThreadNumber),
    /// Gone again, with the number of the thread that came.
    #[doc(hidden)]
    Leave(ThreadNumber),
}

/// A value that goes up and down: `base` and all lanes together.
///
/// Only who enters and leaves uses a lane, and both times the same: so what is in a lane is how many of them are there, at any
/// moment, and a scrape that reads the lanes one after the other never sees a part of a pair. What is added by hand, up
/// here and down there, is in `base`, which is one number.
#[derive(Debug, Default)]
pub struct GaugeCell {
    base: AtomicF64,
    spread: OnDemand<Lanes<AtomicU64>>,
}

impl GaugeCell {
    /// The lanes first: of a pair that came to the base, before there were lanes, and left by a lane, who sees the end
    /// in the lane sees the beginning in the base.
    pub(crate) fn get(&self) -> f64 {
        let lanes = self.in_lanes();
        self.base.get() + lanes
    }

    fn in_lanes(&self) -> f64 {
        self.spread.get().map_or(0.0, |lanes| {
            lanes.iter().fold(0u64, |total, lane| total.wrapping_add(lane.load(Acquire))).cast_signed() as f64
        })
    }

    #[inline]
    fn step(&self, thread: ThreadNumber, by: i64) {
        match self.spread.get() {
            None => {
                if self.base.add(by as f64) {
                    self.spread();
                }
            }
            Some(lanes) => {
                if let Some(lane) = lanes.of(thread) {
                    lane.fetch_add(by.cast_unsigned(), Release);
                }
            }
        }
    }

    /// As if two threads had met.
    #[cfg(all(test, models))]
    pub(crate) fn spread_now(&self) {
        self.spread();
    }

    /// For `extern "C"` see [`catch_panic`](crate::support::panics::catch_panic).
    #[cold]
    #[inline(never)]
    extern "C" fn spread(&self) {
        self.spread.get_or_make(|| Lanes::new(0, AtomicU64::default));
    }
}

impl Cell for GaugeCell {
    type Op = GaugeOp;
    const KIND: Kind = Kind::Gauge;

    #[inline]
    fn apply(&self, op: GaugeOp) {
        match op {
            GaugeOp::Add(by) => _ = self.base.add(by),
            // All together are the value now; who leaves later takes one from it.
            GaugeOp::Set(value) => self.base.set(value - self.in_lanes()),
            GaugeOp::Enter(thread) => self.step(thread, 1),
            GaugeOp::Leave(thread) => self.step(thread, -1),
        }
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_takes_from_where_he_came_and_set_is_the_whole() {
        let cell = GaugeCell::default();
        let me = ThreadNumber::own();
        cell.apply(GaugeOp::Enter(me));
        cell.spread();
        cell.apply(GaugeOp::Enter(me));
        cell.apply(GaugeOp::Add(0.5));
        assert_eq!(cell.get(), 2.5);
        std::thread::scope(|scope| _ = scope.spawn(|| cell.apply(GaugeOp::Leave(me))));
        assert_eq!(cell.get(), 1.5);
        cell.apply(GaugeOp::Set(7.0));
        assert_eq!(cell.get(), 7.0);
        cell.apply(GaugeOp::Leave(me));
        assert_eq!(cell.get(), 6.0);
    }

    #[test]
    fn pairs_of_many_threads_are_never_negative_or_more_than_there_are_and_zero_at_rest() {
        const THREADS: usize = 5;
        let cell = GaugeCell::default();
        let late = std::time::Instant::now() + std::time::Duration::from_secs(60);
        std::thread::scope(|scope| {
            let pairs = |_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while count < 20_000 || (cell.spread.get().is_none() && late.elapsed().is_zero()) {
                        let me = ThreadNumber::own();
                        cell.apply(GaugeOp::Enter(me));
                        cell.apply(GaugeOp::Leave(me));
                        count += 1;
                    }
                })
            };
            let threads = [0; THREADS].map(pairs);
            while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let now = cell.get();
                // One of each at any moment; between two looks at lanes a thread is seen in a lane at most once, as its
                // number stays.
                assert!((0.0..=THREADS as f64).contains(&now), "{now}");
            }
        });
        assert_eq!(cell.get(), 0.0);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        assert!(cores == 1 || cell.spread.get().is_some(), "two threads that meet are noticed");
    }
}
