//! Slow paths that come back to themselves.
//!
//! An allocator or a log subscriber may record metrics, and a slow path allocates and logs. So a record can come from within
//! another one on the same thread. Where it would wait for a lock that its own thread holds, or go deeper without end, it is
//! left out.

use std::cell::Cell;

use super::{panics::catch_panic, sync};

/// How deep slow paths may lie in each other: a log line of one may record, and that may have something to log itself.
const DEEPEST: u32 = 3;

thread_local! {
    /// How many slow paths this thread is in. Needs no destructor, so it is there to the end of the thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// One slow path that this thread is in.
pub(crate) struct Level;

impl Level {
    /// Enters; nothing where this thread must not: it holds a lock of ours, or it is too deep.
    pub(crate) fn enter() -> Option<Self> {
        if cfg!(models) {
            return Some(Self);
        }
        let depth = DEPTH.get();
        if depth >= DEEPEST || sync::is_held() {
            return None;
        }
        Some(Self::one_more())
    }

    fn one_more() -> Self {
        if !cfg!(models) {
            DEPTH.set(DEPTH.get().saturating_add(1));
        }
        Self
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        if !cfg!(models) {
            DEPTH.set(DEPTH.get().saturating_sub(1));
        }
    }
}

/// Runs a slow path unless this thread must not enter one. A panic ends here.
pub(crate) fn slow(run: impl FnOnce()) {
    if let Some(_level) = Level::enter() {
        catch_panic(run);
    }
}

/// Drops what a handle holds: its destructor may be somebody else's, and an allocator may record that memory is freed.
pub(crate) fn drop_slowly(held: impl Sized) {
    let _level = Level::one_more();
    catch_panic(|| drop(held));
}
