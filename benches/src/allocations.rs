//! Counts the allocations of a thread: the global allocator of the bench binaries, the system's with a counter in front.
//!
//! It counts only inside [`count`], so that a peer that allocates does not pay for being watched while it is timed.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNTING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[inline]
fn counted() {
    if COUNTING.load(Relaxed) {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    }
}

#[expect(unsafe_code, reason = "an allocator cannot be written without it; every call goes to the system's as it came")]
// SAFETY: `System` upholds the contract, and nothing here allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        counted();
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        counted();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        counted();
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
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
