//! Slow paths that are entered again from within themselves.
//!
//! A slow path allocates and logs, and an allocator or a log subscriber may record metrics. So a record can begin inside another
//! one, on the same thread. It is left out where it would wait for a lock that its own thread holds, or nest without end.

use std::cell::Cell;

use super::{panics::catch_panic, sync};

/// How deep slow paths may nest: the log line of one may record, and that record may log in its turn.
const DEEPEST: u32 = 3;

thread_local! {
    /// How many slow paths this thread is in. Needs no destructor, so it is there to the end of the thread.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A slow path that this thread is in, until this is dropped.
pub(crate) struct Level;

impl Level {
    /// Enters one; nothing if this thread holds a lock of ours, or is too deep.
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

/// Drops what a handle holds. That counts as a slow path: the destructor may be foreign code, and an allocator may record that
/// memory is freed.
pub(crate) fn drop_slowly(held: impl Sized) {
    let _level = Level::one_more();
    catch_panic(|| drop(held));
}
