//! Values that threads change without getting into each other's way.
//!
//! Two threads that change one number take turns on its cache line. On many cores, waiting for the line takes many times as
//! long as the change itself. So a value gets *lanes* once two threads meet at it: about one for each core, each in cache lines
//! of its own. From then on each thread has a number, which says in which lane its changes go. Whoever reads the value adds up
//! all lanes.
//!
//! A value that has no lanes pays only for the question whether it has some. Each kind of value decides what a lane holds and
//! how lanes are added up: see `docs/proofs.md`, "Lanes".

use crossbeam_utils::CachePadded;

use super::sync::{
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    shared,
};

/// Lanes at most, whatever the number of cores.
const MOST_LANES: usize = 64;

/// Bytes of all lanes of the process at most. A value that would need more stays without: slower, and as exact.
const MOST_BYTES: usize = 32 * 1024 * 1024;

// The standard library's atomics, also in a model: the first is set once, the second only bounds memory.
/// How many lanes a value gets; 0 until it is known.
static LANES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
/// Bytes of all lanes.
static BYTES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

shared! {
    /// The number of the next thread.
    static NEXT: AtomicUsize = AtomicUsize::new(1);
}

#[cfg(not(models))]
mod thread {
    use std::cell::Cell;

    thread_local! {
        /// The number of this thread; 0 until it has one. It needs no destructor and no allocation, so it works until the
        /// thread ends, and inside an allocator.
        pub(super) static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
}
#[cfg(models)]
mod thread {
    use std::cell::Cell;

    loom::thread_local! {
        pub(super) static NUMBER: Cell<usize> = Cell::new(0);
    }
}

/// Finds out how many lanes a value gets. Called when a store is made and not first by a record, because this reads files.
pub(crate) fn prepare() {
    if LANES.load(Relaxed) == 0 {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let lanes = if cfg!(models) { 2 } else { cores.next_power_of_two().clamp(2, MOST_LANES) };
        LANES.store(lanes, Relaxed);
    }
}

/// A part of a value for each core, in cache lines that it shares with no other.
#[derive(Debug)]
pub(crate) struct Lanes<L> {
    lanes: Box<[CachePadded<L>]>,
    /// The bytes of [`BYTES`] that are taken by these lanes.
    bytes: std::sync::atomic::AtomicUsize,
}

/// Takes bytes of what all lanes together may have. Says whether there were enough left.
fn reserve(bytes: usize) -> bool {
    let is_there = BYTES.fetch_add(bytes, Relaxed).saturating_add(bytes) <= MOST_BYTES;
    if !is_there {
        BYTES.fetch_sub(bytes, Relaxed);
    }
    is_there
}

impl<L> Lanes<L> {
    /// `None` if the lanes of the process would take too much memory. `own` is how many bytes a lane has on the heap.
    pub(crate) fn new(own: usize, lane: impl Fn() -> L) -> Option<Self> {
        prepare();
        let count = LANES.load(Relaxed);
        let bytes = count.saturating_mul(size_of::<CachePadded<L>>().saturating_add(own));
        if !reserve(bytes) {
            return None;
        }
        // Made before its lanes, so that its drop gives the bytes back if making a lane panics.
        let mut new = Self { lanes: Box::default(), bytes: bytes.into() };
        new.lanes = (0..count).map(|_| CachePadded::new(lane())).collect();
        Some(new)
    }

    /// Takes memory for what a lane gets later; says whether it may have it.
    pub(crate) fn grow(&self, bytes: usize) -> bool {
        let may = reserve(bytes);
        if may {
            self.bytes.fetch_add(bytes, Relaxed);
        }
        may
    }

    /// Changes the lane of this thread. `change` says whether another thread changed the lane meanwhile: then this thread
    /// takes the next lane from now on.
    #[inline]
    pub(crate) fn change(&self, change: impl FnOnce(&L) -> bool) {
        let own = thread_number();
        // The number of lanes is a power of two.
        if let Some(lane) = self.lanes.get(own & self.lanes.len().wrapping_sub(1))
            && change(lane)
        {
            thread::NUMBER.with(|number| number.set(own.wrapping_add(1).max(1)));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &L> {
        self.lanes.iter().map(|lane| &**lane)
    }
}

impl<L> Drop for Lanes<L> {
    fn drop(&mut self) {
        BYTES.fetch_sub(*self.bytes.get_mut(), Relaxed);
    }
}

/// The number of this thread, which says in which lane it is.
#[inline]
fn thread_number() -> usize {
    thread::NUMBER.with(|own| match own.get() {
        0 => {
            let new = NEXT.fetch_add(1, Relaxed).max(1);
            own.set(new);
            new
        }
        number => number,
    })
}

/// Adds to a number, unless it is time to ask whether another thread changes it too. Says whether it added.
///
/// The number itself says when it is time: at every 32nd value. To ask at every addition would take a quarter of its time.
#[inline(always)]
pub(crate) fn add_unasked(number: &AtomicU64, by: u64) -> bool {
    // Steps of 1 reach every multiple of 32. Larger steps may skip all of them, so they always ask.
    let is_unasked = by == 1 && number.load(Relaxed) & UNASKED != 0;
    if is_unasked {
        number.fetch_add(by, Relaxed);
    }
    is_unasked
}

/// A number asks if all these bits of it are 0: every 32nd, or every second one in a model.
const UNASKED: u64 = if cfg!(models) { 1 } else { 31 };

/// Adds to a number. Says whether another thread changed it meanwhile.
pub(crate) fn add_and_ask(number: &AtomicU64, by: u64) -> bool {
    let seen = number.load(Relaxed);
    let is_alone = number.compare_exchange(seen, seen.wrapping_add(by), Relaxed, Relaxed).is_ok();
    if !is_alone {
        number.fetch_add(by, Relaxed);
    }
    !is_alone
}

/// The same, but asks only at every 32nd value and at steps larger than 1.
#[inline]
pub(crate) fn add(number: &AtomicU64, by: u64) -> bool {
    !add_unasked(number, by) && add_and_ask(number, by)
}

#[cfg(test)]
mod tests {
    use super::{super::on_demand::OnDemand, *};

    #[test]
    fn a_thread_keeps_its_lane_until_it_meets_another() {
        let lanes = Lanes::new(0, AtomicU64::default).expect("room");
        let used = || lanes.iter().position(|lane| lane.swap(0, Relaxed) > 0);
        lanes.change(|lane| lane.fetch_add(1, Relaxed) > 0);
        let first = used();
        lanes.change(|lane| {
            lane.fetch_add(1, Relaxed);
            true
        });
        assert_eq!(used(), first, "the change that noticed was made");
        lanes.change(|lane| lane.fetch_add(1, Relaxed) > 0);
        assert_ne!(used(), first);
    }

    #[test]
    fn memory_that_lanes_must_not_take_is_not_taken() {
        let before = BYTES.load(Relaxed);
        assert!(Lanes::new(MOST_BYTES, AtomicU64::default).is_none());
        let lanes = Lanes::new(0, AtomicU64::default).expect("room");
        assert!(lanes.bytes.load(Relaxed) >= 2 * 64 && lanes.iter().count().is_power_of_two());
        assert!(lanes.grow(64) && !lanes.grow(MOST_BYTES));
        drop(lanes);
        // Other tests have lanes too.
        assert!(BYTES.load(Relaxed) < before + MOST_BYTES);
        let spread = OnDemand::<Lanes<AtomicU64>>::default();
        assert!(spread.get_or_make(|| Lanes::new(MOST_BYTES, AtomicU64::default)).is_none());
    }

    #[test]
    fn a_thread_that_holds_a_lock_of_ours_makes_no_lanes() {
        let spread = OnDemand::<Lanes<AtomicU64>>::default();
        let lock = crate::support::sync::Mutex::new(());
        let held = lock.lock();
        assert!(spread.get_or_make(|| Lanes::new(0, AtomicU64::default)).is_none());
        drop(held);
        assert!(spread.get_or_make(|| Lanes::new(0, AtomicU64::default)).is_some());
    }

    #[test]
    fn a_thread_that_is_torn_down_has_a_number() {
        struct Late(std::sync::Arc<Lanes<AtomicU64>>);
        impl Drop for Late {
            fn drop(&mut self) {
                self.0.change(|lane| add(lane, 1));
            }
        }
        thread_local!(static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) });
        let lanes = std::sync::Arc::new(Lanes::new(0, AtomicU64::default).expect("room"));
        let late = Late(lanes.clone());
        std::thread::spawn(|| LATE.with(|slot| *slot.borrow_mut() = Some(late))).join().expect("no panic");
        assert_eq!(lanes.iter().map(|lane| lane.load(Relaxed)).sum::<u64>(), 1);
    }
}
