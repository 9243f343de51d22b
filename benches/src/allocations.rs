//! Counts the allocations of a thread: an allocator with a counter in front, for a bench target's global one.
//!
//! It counts only inside [`count`], so that a peer that allocates does not pay for being watched while it is timed.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

static COUNTING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts what goes to the allocator behind it.
#[derive(Debug)]
pub struct Counting<A>(pub A);

#[inline]
fn counted() {
    if COUNTING.load(Relaxed) {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    }
}

#[expect(unsafe_code, reason = "an allocator cannot be written without it; every call goes on as it came")]
// SAFETY: the allocator behind upholds the contract, and nothing here allocates.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        counted();
        // SAFETY: the caller's promise is the one the one behind asks for.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.0.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        counted();
        // SAFETY: as above.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        counted();
        // SAFETY: as above.
        unsafe { self.0.realloc(ptr, layout, new_size) }
    }
}

/// How many allocations this thread makes in the closure.
pub fn count(run: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    COUNTING.store(true, Relaxed);
    run();
    COUNTING.store(false, Relaxed);
    COUNT.get() - before
}
