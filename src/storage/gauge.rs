//! The value of a gauge.
//!
//! It is one number, `base`, until two threads meet at it. From then on, steps that are whole numbers go to lanes.
//!
//! Lanes that are read one after the other add up to a value that the gauge may never have had: if one thread goes up and
//! another down, the sum could be negative. So whoever reads or sets the value *closes* all lanes first. A closed lane does not
//! change: its threads change the base instead. Once all lanes are closed, only the base changes, and the value is the base
//! plus what is in the lanes.
//!
//! No thread waits for another: see `docs/proofs.md`, "Lanes".

use super::cell::Cell;
use crate::{
    schema::family::Kind,
    support::{
        atomic_f64::AtomicF64,
        on_demand::OnDemand,
        striped::Lanes,
        sync::atomic::{
            AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
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
}

/// A value that goes up and down.
#[derive(Debug, Default)]
pub struct GaugeCell {
    base: AtomicF64,
    lanes: OnDemand<Lanes<Lane>>,
    /// How often it was set, times [`SET`], plus how many threads are setting it now. [`HAS_LANES`] once lanes are open.
    sets: AtomicU32,
}

/// Two threads have met: the lanes take steps.
const HAS_LANES: u32 = u32::MAX;
const SET: u32 = 1 << 16;
/// A gauge that was set so often before it had lanes never gets any: to set one that has them costs two changes of each lane.
const OFTEN: u32 = 16 * SET;

impl GaugeCell {
    /// Reads the base before it asks for lanes. If a thread went up in a lane and then down in the base, whoever sees the step
    /// down then sees that there are lanes too.
    pub(crate) fn get(&self) -> f64 {
        let base = self.base.get();
        self.lanes.get().map_or(base, |lanes| closed(lanes, |in_lanes| self.base.get() + in_lanes))
    }

    /// Makes the lanes, as if two threads had met.
    #[cfg(all(test, models))]
    pub(crate) fn spread_now(&self) {
        self.spread();
    }

    /// For `extern "C"` see [`catch_panic`](crate::support::panics::catch_panic).
    #[cold]
    #[inline(never)]
    extern "C" fn spread(&self) {
        let sets = self.sets.load(Relaxed);
        // Not while a thread sets it either: it does not know of lanes. The next two threads that meet try again.
        if sets >= OFTEN || !sets.is_multiple_of(SET) {
            return;
        }
        // They are made closed, and stay so if a thread has begun to set the gauge meanwhile.
        let lanes = self.lanes.get_or_make(|| Lanes::new(0, Lane::new_closed));
        if let Some(lanes) = lanes
            && self.sets.compare_exchange(sets, HAS_LANES, AcqRel, Relaxed).is_ok()
        {
            lanes.iter().for_each(Lane::open);
        }
    }

    #[inline(never)]
    extern "C" fn add_to_lane(&self, lanes: &Lanes<Lane>, by: f64) {
        let mut is_added = false;
        if let Some(steps) = whole(by) {
            lanes.change(|lane| {
                let added = lane.add(steps);
                is_added = added.is_some();
                added.unwrap_or_default()
            });
        }
        // The lanes may be there and not yet open.
        if !is_added && self.base.add(by) {
            self.spread();
        }
    }

    /// Sets a gauge that has lanes, or may get them.
    #[inline(never)]
    extern "C" fn set_beside_lanes(&self, value: f64) {
        let begin = |sets: u32| (sets < OFTEN).then_some(sets.wrapping_add(SET | 1));
        match (self.sets.fetch_update(AcqRel, Acquire, begin), self.lanes.get()) {
            (Err(HAS_LANES), Some(lanes)) => closed(lanes, |in_lanes| self.base.set(value - in_lanes)),
            (begun, _) => {
                self.base.set(value);
                if begun.is_ok() {
                    self.sets.fetch_sub(1, Release);
                }
            }
        }
    }
}

/// Closes all lanes, calls `show` with the sum of what is in them, and opens them again.
fn closed<R>(lanes: &Lanes<Lane>, show: impl FnOnce(f64) -> R) -> R {
    let in_lanes = lanes.iter().fold(0i64, |total, lane| total.wrapping_add(lane.close()));
    let shown = show(in_lanes as f64);
    lanes.iter().for_each(Lane::open);
    shown
}

/// The number as an integer, if it is whole.
#[inline]
fn whole(number: f64) -> Option<i64> {
    let whole = number as i64;
    (whole as f64 == number).then_some(whole)
}

/// A whole number times [`ONE`]. The bits below say how many threads have closed the lane and not opened it yet.
#[derive(Debug)]
struct Lane(AtomicU64);

/// So 65,535 threads can read or set one gauge at the same moment. Steps that do not fit into the 48 bits above go to the base.
const ONE: i64 = 1 << 16;

impl Lane {
    fn new_closed() -> Self {
        Self(AtomicU64::new(1))
    }

    /// Says whether another thread changed the lane meanwhile; `None` if it did not add, because the lane is closed or full.
    #[inline]
    fn add(&self, steps: i64) -> Option<bool> {
        let by = steps.checked_mul(ONE)?;
        let mut seen = self.0.load(Relaxed);
        let mut is_alone = true;
        loop {
            let now = seen.cast_signed();
            let next = if now & (ONE - 1) == 0 { now.checked_add(by) } else { None };
            match self.0.compare_exchange(seen, next?.cast_unsigned(), Release, Relaxed) {
                Ok(_) => return Some(!is_alone),
                Err(now) => seen = now,
            }
            is_alone = false;
        }
    }

    /// Closes the lane. Returns what is in it, which does not change until it is opened.
    fn close(&self) -> i64 {
        self.0.fetch_add(1, AcqRel).cast_signed().div_euclid(ONE)
    }

    fn open(&self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

impl Cell for GaugeCell {
    type Op = GaugeOp;
    const KIND: Kind = Kind::Gauge;

    #[inline]
    fn apply(&self, op: GaugeOp) {
        match op {
            GaugeOp::Add(by) => match self.lanes.get() {
                None => {
                    if self.base.add(by) {
                        self.spread();
                    }
                }
                Some(lanes) => self.add_to_lane(lanes, by),
            },
            GaugeOp::Set(value) if (OFTEN..HAS_LANES).contains(&self.sets.load(Acquire)) => self.base.set(value),
            GaugeOp::Set(value) => self.set_beside_lanes(value),
        }
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_lanes(cell: &GaugeCell) -> f64 {
        cell.lanes.get().map_or(0.0, |lanes| closed(lanes, |in_lanes| in_lanes))
    }

    #[test]
    fn whole_steps_go_to_lanes_and_all_else_to_the_base_and_set_is_the_whole() {
        let cell = GaugeCell::default();
        cell.apply(GaugeOp::Add(1.0));
        cell.spread();
        for (step, lanes, whole) in [
            (1.0, 1.0, 2.0),
            (-3.0, -2.0, -1.0),
            (0.5, -2.0, -0.5),
            (1_000.0, 998.0, 999.5),
            (-0.0, 998.0, 999.5),
            // Beyond what a lane holds.
            (1e18, 998.0, 1e18 + 999.5),
            (-1e18, 998.0, 998.0),
        ] {
            cell.apply(GaugeOp::Add(step));
            assert_eq!((in_lanes(&cell), cell.get()), (lanes, whole), "{step}");
        }
        cell.apply(GaugeOp::Set(7.0));
        assert_eq!((in_lanes(&cell), cell.get()), (998.0, 7.0));
        std::thread::scope(|scope| _ = scope.spawn(|| cell.apply(GaugeOp::Add(-1.0))));
        assert_eq!((in_lanes(&cell), cell.get()), (997.0, 6.0));
        for odd in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            cell.apply(GaugeOp::Add(odd));
            assert!(!cell.get().is_finite() && in_lanes(&cell) == 997.0, "{odd}");
            cell.apply(GaugeOp::Set(6.0));
        }
        assert_eq!(cell.get(), 6.0);
    }

    #[test]
    fn a_full_lane_overflows_into_the_base() {
        let cell = GaugeCell::default();
        cell.spread();
        let most = ((1i64 << 47) - 1) as f64;
        for step in [most, 1.0, -most, -most, -5.0] {
            cell.apply(GaugeOp::Add(step));
        }
        assert_eq!((in_lanes(&cell), cell.base.get(), cell.get()), (-most, -4.0, -most - 4.0));
    }

    #[test]
    fn a_lane_stays_closed_until_all_have_opened_it() {
        let lane = Lane::new_closed();
        lane.open();
        assert_eq!(lane.add(-3), Some(false));
        assert_eq!([lane.close(), lane.close()], [-3, -3]);
        assert_eq!(lane.add(1), None);
        lane.open();
        assert_eq!(lane.add(1), None);
        lane.open();
        assert_eq!((lane.add(1), lane.close()), (Some(false), -2));
    }

    #[test]
    fn a_gauge_that_was_set_now_and_then_gets_lanes_and_one_that_was_set_often_keeps_to_its_base() {
        for times in 0..20 {
            let cell = GaugeCell::default();
            (0..times).for_each(|i| cell.apply(GaugeOp::Set(f64::from(i))));
            cell.spread();
            cell.apply(GaugeOp::Add(1.0));
            assert_eq!(
                (in_lanes(&cell), cell.lanes.get().is_some()),
                if times < 16 { (1.0, true) } else { (0.0, false) }
            );
            cell.apply(GaugeOp::Set(3.0));
            assert_eq!((cell.get(), cell.base.get()), if times < 16 { (3.0, 2.0) } else { (3.0, 3.0) });
        }
    }

    #[test]
    fn lanes_that_come_while_it_is_set_open_when_two_threads_meet_again() {
        let cell = GaugeCell::default();
        let one_sets = SET + 1;
        cell.sets.store(one_sets, Relaxed);
        cell.spread();
        assert!(cell.lanes.get().is_none());
        cell.lanes.get_or_make(|| Lanes::new(0, Lane::new_closed));
        cell.apply(GaugeOp::Add(1.0));
        assert_eq!((in_lanes(&cell), cell.get()), (0.0, 1.0));
        cell.sets.store(SET, Relaxed);
        cell.spread();
        cell.apply(GaugeOp::Add(1.0));
        assert_eq!((in_lanes(&cell), cell.get()), (1.0, 2.0));
    }

    #[test]
    fn pairs_of_many_threads_are_never_negative_or_more_than_there_are_and_zero_at_rest() {
        const THREADS: usize = 6;
        let cell = GaugeCell::default();
        let late = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let is_enough = |count| count >= 20_000 && (cell.lanes.get().is_some() || !late.elapsed().is_zero());
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for _ in 0..THREADS / 2 {
                // Up here, and down on another thread.
                let (send, receive) = std::sync::mpsc::sync_channel(8);
                let cell = &cell;
                let is_enough = &is_enough;
                threads.push(scope.spawn(move || {
                    let mut count = 0;
                    while !is_enough(count) {
                        cell.apply(GaugeOp::Add(1.0));
                        count += 1;
                        send.send(()).expect("the other thread takes all");
                    }
                }));
                threads.push(scope.spawn(move || receive.iter().for_each(|()| cell.apply(GaugeOp::Add(-1.0)))));
            }
            while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let now = cell.get();
                // Eight that wait, one that is on its way in, one that is on its way out.
                assert!((0.0..=(10 * THREADS / 2) as f64).contains(&now), "{now}");
            }
        });
        assert_eq!(cell.get(), 0.0);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        assert!(cores == 1 || cell.lanes.get().is_some(), "two threads that meet are noticed");
    }
}
