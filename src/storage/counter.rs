//! The value of a counter.

use super::cell::Cell;
use crate::{
    schema::family::Kind,
    support::{
        on_demand::OnDemand,
        striped::{Lanes, add, add_and_ask, add_unasked},
        sync::atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A change of a counter.
#[derive(Clone, Copy, Debug)]
pub enum CounterOp {
    /// Adds.
    Increment(u64),
    /// Raises to at least this value.
    Absolute(u64),
}

/// A monotonic count: the sum of `base` and all lanes. None of them ever falls, so neither does the sum.
///
/// An increment by 1 looks for lanes only if the base is a multiple of 32; other steps always do. Once there are lanes,
/// increments leave the base at such a multiple. Two things can move it on: [`CounterOp::Absolute`], and a thread that read the
/// base before it got there and adds 1 afterwards. Then up to 31 increments go to the base again. The sum stays exact.
#[derive(Debug, Default)]
pub struct CounterCell {
    base: AtomicU64,
    spread: OnDemand<Lanes<AtomicU64>>,
}

impl CounterCell {
    pub(crate) fn get(&self) -> u64 {
        let lanes = self.spread.get().map_or(0, Self::total);
        self.base.load(Relaxed).wrapping_add(lanes)
    }

    fn total(lanes: &Lanes<AtomicU64>) -> u64 {
        lanes.iter().fold(0, |total, lane| total.wrapping_add(lane.load(Relaxed)))
    }

    /// Makes the lanes, as if two threads had met.
    #[cfg(all(test, models))]
    pub(crate) fn spread_now(&self) {
        self.spread();
    }

    #[cold]
    #[inline(never)]
    fn spread(&self) {
        self.spread.get_or_make(|| Lanes::new(0, AtomicU64::default));
    }

    /// An increment that looks for lanes. Makes them if there are none and another thread changed the base meanwhile.
    /// For `extern "C"` see [`catch_panic`](crate::support::panics::catch_panic).
    #[inline(never)]
    extern "C" fn increment_slow(&self, by: u64) {
        match self.spread.get() {
            Some(lanes) => lanes.change(|lane| add(lane, by)),
            None if add_and_ask(&self.base, by) => self.spread(),
            None => {}
        }
    }

    /// Raises the base by what the sum lacks. An increment of a lane at the same time comes on top.
    #[cold]
    #[inline(never)]
    extern "C" fn raise(&self, lanes: &Lanes<AtomicU64>, value: u64) {
        let mut base = self.base.load(Relaxed);
        // Ends if nothing is missing. A sum that has passed `u64::MAX` is not raised either.
        while let Some(raised) = value.checked_sub(Self::total(lanes)).filter(|raised| *raised > base) {
            match self.base.compare_exchange(base, raised, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(now) => base = now,
            }
        }
    }
}

impl Cell for CounterCell {
    type Op = CounterOp;
    const KIND: Kind = Kind::Counter;

    #[inline]
    fn apply(&self, op: CounterOp) {
        match op {
            CounterOp::Increment(by) if add_unasked(&self.base, by) => {}
            CounterOp::Increment(by) => self.increment_slow(by),
            CounterOp::Absolute(value) => match self.spread.get() {
                None => _ = self.base.fetch_max(value, Relaxed),
                Some(lanes) => self.raise(lanes, value),
            },
        }
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_before_and_after_the_spread_adds_up_and_absolute_raises_the_whole() {
        let cell = CounterCell::default();
        cell.apply(CounterOp::Increment(3));
        cell.spread();
        let lanes = cell.spread.get().expect("spread");
        std::thread::scope(|scope| {
            for _ in 0..2 * lanes.iter().count() {
                scope.spawn(|| cell.apply(CounterOp::Increment(2)));
            }
        });
        let total = 3 + 4 * lanes.iter().count() as u64;
        assert_eq!(cell.get(), total);
        assert!(lanes.iter().all(|lane| lane.load(Relaxed) > 0), "each lane has its threads");
        for (value, expected) in [(1, total), (total, total), (total + 5, total + 5), (total + 2, total + 5)] {
            cell.apply(CounterOp::Absolute(value));
            assert_eq!(cell.get(), expected);
        }
        cell.apply(CounterOp::Increment(1));
        assert_eq!(cell.get(), total + 6);
    }

    #[test]
    fn a_base_with_lanes_asks_again_at_the_next_multiple_and_stays_there() {
        let cell = CounterCell::default();
        (0..70).for_each(|_| cell.apply(CounterOp::Increment(1)));
        cell.spread();
        for (more, base) in [(26, 96), (1, 96), (1_000, 96)] {
            (0..more).for_each(|_| cell.apply(CounterOp::Increment(1)));
            assert_eq!(cell.base.load(Relaxed), base);
        }
        assert_eq!(cell.get(), 1_097);
        // As a thread that came too late.
        cell.base.fetch_add(1, Relaxed);
        (0..100).for_each(|_| cell.apply(CounterOp::Increment(1)));
        assert_eq!((cell.base.load(Relaxed), cell.get()), (128, 1_198));
    }

    #[test]
    fn one_thread_never_spreads() {
        let cell = CounterCell::default();
        (0..1_000).for_each(|_| cell.apply(CounterOp::Increment(1)));
        assert!(cell.spread.get().is_none());
    }

    #[test]
    fn two_threads_spread_and_no_scrape_sees_less_than_the_one_before() {
        let cell = CounterCell::default();
        let late = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let is_enough =
            |counted: u64| counted >= 20_000 && (cell.spread.get().is_some() || late.elapsed().as_secs() > 0);
        let counted: u64 = std::thread::scope(|scope| {
            let count = || {
                let mut counted = 0;
                while !is_enough(counted) {
                    (0..1_000).for_each(|_| cell.apply(CounterOp::Increment(1)));
                    counted += 1_000;
                }
                counted
            };
            let threads = [0; 4].map(|_| scope.spawn(count));
            let mut seen = 0;
            while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let now = cell.get();
                assert!(now >= seen, "{now} after {seen}");
                seen = now;
            }
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(cell.get(), counted);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        assert!(cores == 1 || cell.spread.get().is_some(), "two threads that meet are noticed");
    }
}
