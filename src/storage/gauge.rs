//! The value of a gauge.

use super::cell::Cell;
use crate::{
    schema::family::Kind,
    support::{
        atomic_f64::AtomicF64,
        striped::{Lanes, Spread},
        sync::{
            atomic::{
                AtomicU64,
                Ordering::{AcqRel, Acquire, Relaxed, Release},
            },
            yield_now,
        },
    },
};

/// A change of a gauge.
#[derive(Clone, Copy, Debug)]
pub enum GaugeOp {
    /// Adds, or takes away when negative.
    Add(f64),
    /// Replaces. Of the additions at the same time, each is either before it, and replaced, or after it, and on top.
    Set(f64),
}

/// A value that goes up and down.
#[derive(Debug, Default)]
pub struct GaugeCell {
    base: AtomicF64,
    spread: Spread<Steps>,
}

impl GaugeCell {
    pub(crate) fn get(&self) -> f64 {
        // The base first: what it holds that came after the spread is not shown without the lanes.
        let base = self.base.get();
        self.spread.get().map_or(base, |steps| steps.read(&self.base))
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
        self.spread.make(Steps::new);
    }

    #[inline(never)]
    #[allow(
        improper_ctypes_definitions,
        reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind"
    )]
    extern "C" fn apply_spread(&self, steps: &Steps, op: GaugeOp) {
        match op {
            GaugeOp::Add(by) if steps.add(by) => {}
            GaugeOp::Add(by) => _ = self.base.add(by),
            GaugeOp::Set(value) => steps.set(&self.base, value),
        }
    }
}

impl Cell for GaugeCell {
    type Op = GaugeOp;
    const KIND: Kind = Kind::Gauge;

    #[inline]
    fn apply(&self, op: GaugeOp) {
        match (op, self.spread.get()) {
            (_, Some(steps)) => self.apply_spread(steps, op),
            (GaugeOp::Add(by), None) => {
                if self.base.add(by) {
                    self.spread();
                }
            }
            (GaugeOp::Set(value), None) => self.base.set(value),
        }
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0.0
    }
}

/// Whole steps up and down, in lanes. They are counted apart and as integers: then a step down that is seen without the step
/// up before it is noticed by the order of reading, and the order of adding makes no difference. What is no whole number,
/// and what is set, is in the base.
#[derive(Debug)]
struct Steps {
    lanes: Lanes<Step>,
    /// What the lanes were when the base was set: this much of them does not count any more.
    replaced: AtomicU64,
    /// Odd while the base is being set. Changes at every set.
    sets: AtomicU64,
}

#[derive(Debug, Default)]
struct Step {
    up: AtomicU64,
    down: AtomicU64,
}

/// Larger amounts are not certain to be whole numbers, and go to the base.
const LARGEST_STEP: f64 = 4_294_967_296.0;

/// How often a reader looks at the whole value at most, while it is not set.
const MOST_WHOLES: usize = if cfg!(models) { 2 } else { 32 };
/// How often a reader tries at most.
const MOST_TRIES: usize = 10_000;

impl Steps {
    fn new() -> Option<Self> {
        let lanes = Lanes::new(0, Step::default)?;
        Some(Self { lanes, replaced: AtomicU64::new(0), sets: AtomicU64::new(0) })
    }

    /// Adds a whole number; says whether it was one.
    #[inline]
    fn add(&self, by: f64) -> bool {
        let steps = by.abs() as u64;
        if steps as f64 != by.abs() || by.abs() > LARGEST_STEP {
            return false;
        }
        self.lanes.change(|lane| {
            if by < 0.0 {
                // Release: who sees this step down also sees what its thread knew, and so the step up before it.
                step(&lane.down, steps)
            } else {
                step(&lane.up, steps)
            }
        });
        true
    }

    fn downs(&self) -> u64 {
        self.lanes.iter().fold(0, |total, lane| total.wrapping_add(lane.down.load(Acquire)))
    }

    fn ups(&self) -> u64 {
        self.lanes.iter().fold(0, |total, lane| total.wrapping_add(lane.up.load(Acquire)))
    }

    /// The whole value. What takes away is read first: whatever was added before it is then read as well. So the value may be
    /// too large by what was added and taken away while it was read, and is never too small. Read several times, it is
    /// taken from where the least was taken away meanwhile; mostly that is nothing.
    fn read(&self, base: &AtomicF64) -> f64 {
        let mut best: Option<(u64, f64)> = None;
        let (mut wholes, mut tries) = (0usize, 0usize);
        while wholes < MOST_WHOLES && tries < MOST_TRIES {
            tries = tries.saturating_add(1);
            let before = self.sets.load(Acquire);
            let (downs, value) = self.look(base);
            let meanwhile = self.downs().wrapping_sub(downs);
            if before & 1 == 1 || self.sets.load(Acquire) != before {
                yield_now();
                continue;
            }
            wholes = wholes.saturating_add(1);
            if best.is_none_or(|(fewest, _)| meanwhile < fewest) {
                best = Some((meanwhile, value));
            }
            if meanwhile == 0 {
                break;
            }
        }
        best.map_or_else(|| self.look(base).1, |(_, value)| value)
    }

    /// The steps down, and the value.
    fn look(&self, base: &AtomicF64) -> (u64, f64) {
        let downs = self.downs();
        let (value, replaced) = (base.get(), self.replaced.load(Acquire));
        let steps = self.ups().wrapping_sub(downs).wrapping_sub(replaced);
        (downs, value + steps.cast_signed() as f64)
    }

    /// Sets the whole value, without waiting for another thread that does the same: this one has then been replaced, and
    /// the other one begins again, so that it also replaces what this thread added before.
    fn set(&self, base: &AtomicF64, value: f64) {
        let mut seen = self.sets.load(Relaxed);
        let mut mine = loop {
            let next = seen.wrapping_add(if seen & 1 == 0 { 1 } else { 2 });
            match self.sets.compare_exchange(seen, next, AcqRel, Relaxed) {
                Ok(_) if seen & 1 == 1 => return,
                Ok(_) => break next,
                Err(now) => seen = now,
            }
        };
        loop {
            let downs = self.downs();
            let replaced = self.ups().wrapping_sub(downs);
            base.set(value);
            self.replaced.store(replaced, Release);
            match self.sets.compare_exchange(mine, mine.wrapping_add(1), AcqRel, Acquire) {
                Ok(_) => return,
                Err(now) => mine = now,
            }
        }
    }
}

/// Adds to a lane; says whether another thread came in between.
#[inline]
fn step(number: &AtomicU64, by: u64) -> bool {
    let seen = number.load(Relaxed);
    number.fetch_add(by, Release) != seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread() -> GaugeCell {
        let cell = GaugeCell::default();
        cell.apply(GaugeOp::Add(1.0));
        cell.spread();
        assert!(cell.spread.get().is_some());
        cell
    }

    #[test]
    fn a_spread_gauge_is_what_its_changes_make_it() {
        let cell = spread();
        for (op, expected) in [
            (GaugeOp::Add(2.0), 3.0),
            (GaugeOp::Add(-0.5), 2.5),
            (GaugeOp::Set(0.1), 0.1),
            (GaugeOp::Add(-3.0), 0.1 - 3.0),
            (GaugeOp::Set(-7.25), -7.25),
            (GaugeOp::Add(-0.0), -7.25),
            (GaugeOp::Add(1e300), 1e300),
            (GaugeOp::Set(0.0), 0.0),
            (GaugeOp::Add(f64::INFINITY), f64::INFINITY),
            (GaugeOp::Set(5.0), 5.0),
            (GaugeOp::Add(LARGEST_STEP * 2.0), 5.0 + LARGEST_STEP * 2.0),
            (GaugeOp::Set(4.0), 4.0),
        ] {
            cell.apply(op);
            assert_eq!(cell.get(), expected, "{op:?}");
        }
        cell.apply(GaugeOp::Add(f64::NAN));
        assert!(cell.get().is_nan());
        cell.apply(GaugeOp::Set(1.5));
        assert_eq!(cell.get(), 1.5, "what is set replaces what is no number, too");
    }

    #[test]
    fn pairs_that_end_on_another_thread_are_never_below_zero_and_end_at_zero() {
        let (cell, rounds) = (GaugeCell::default(), if cfg!(miri) { 50 } else { 300_000 });
        std::thread::scope(|scope| {
            let threads = [0.5, 1.0].map(|by| {
                let (started, ends) = std::sync::mpsc::sync_channel(100);
                let cell = &cell;
                let start = scope.spawn(move || {
                    for _ in 0..rounds {
                        cell.apply(GaugeOp::Add(by));
                        started.send(by).expect("the other end is there");
                    }
                });
                (start, scope.spawn(move || ends.iter().for_each(|by| cell.apply(GaugeOp::Add(-by)))))
            });
            while !threads.iter().all(|(start, end)| start.is_finished() && end.is_finished()) {
                let now = cell.get();
                // Of each pair 102 have begun at most; and some that begin and end while it is read.
                assert!((0.0..=400.0).contains(&now), "{now}");
            }
        });
        assert_eq!(cell.get(), 0.0);
    }

    #[test]
    fn sets_beside_increments_are_whole() {
        let (cell, rounds) = (spread(), if cfg!(miri) { 50 } else { 100_000 });
        std::thread::scope(|scope| {
            let adds = scope.spawn(|| (0..rounds).for_each(|_| cell.apply(GaugeOp::Add(1.0))));
            let sets = [0; 2].map(|_| scope.spawn(|| (0..rounds).for_each(|_| cell.apply(GaugeOp::Set(0.25)))));
            while !adds.is_finished() || !sets.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let now = cell.get();
                assert!(now >= 0.25 && now <= f64::from(rounds) + 1.0, "{now}");
            }
        });
        cell.apply(GaugeOp::Set(0.25));
        assert_eq!(cell.get(), 0.25);
    }
}
