//! One byte that every record reads.
//!
//! 0 is off. [`GLOBAL`] alone is the ordinary case: everything goes to the process's one service. With [`LOCAL`], a
//! thread-local has to be asked which service this thread records into. With `MUTE`, another one has to be asked whether it
//! records at all.

use std::cell::Cell;

use crate::support::sync::{
    atomic::{AtomicU8, Ordering::Relaxed},
    shared,
};

/// The process's one service is on.
pub(crate) const GLOBAL: u8 = 1;
/// A service other than the process's one was made, or a scope was entered.
pub(crate) const LOCAL: u8 = 2;
/// Workflow code runs in this process: while it replays, its thread records nothing.
const MUTE: u8 = 4;
/// Without the feature `temporal` no thread is ever muted.
pub(crate) const CAN_MUTE: bool = cfg!(feature = "temporal");

shared! {
    static STATE: AtomicU8 = AtomicU8::new(0);
}

thread_local! {
    /// Whether this thread is muted. Needs no destructor, so it is there to the end of the thread.
    static MUTED: Cell<bool> = const { Cell::new(false) };
}

/// The byte. Relaxed: it decides whether to record; the store itself is published by its own locks.
#[inline]
fn load() -> u8 {
    STATE.load(Relaxed)
}

/// The state used to look up handles: muting is ignored, so a handle taken during a replay works afterwards.
#[inline]
pub(crate) fn load_for_handle() -> u8 {
    if CAN_MUTE { load() & !MUTE } else { load() }
}

/// The state used to record: 0 while this thread is muted, whatever handle it uses.
#[inline(always)]
pub(crate) fn load_for_record() -> u8 {
    let state = load();
    if !CAN_MUTE || state & MUTE == 0 {
        state
    } else if MUTED.get() {
        0
    } else {
        state & !MUTE
    }
}

/// Whether any record may be taken: the cheapest check.
#[inline(always)]
pub(crate) fn is_anybody_on() -> bool {
    load() != 0
}

/// Whether the process's one service is on.
#[inline]
pub(crate) fn is_global_on() -> bool {
    load() & GLOBAL != 0
}

/// Switches the process's one service on or off.
pub(crate) fn set_global(on: bool) {
    if on {
        STATE.fetch_or(GLOBAL, Relaxed);
    } else {
        STATE.fetch_and(!GLOBAL, Relaxed);
    }
}

/// From now on every record has to look at its thread's scope.
pub(crate) fn allow_scopes() {
    STATE.fetch_or(LOCAL, Relaxed);
}

/// Whether this thread is muted.
pub(crate) fn is_muted() -> bool {
    CAN_MUTE && MUTED.get()
}

/// Mutes this thread, or ends its muting; says whether it was muted before.
#[cfg(feature = "temporal")]
pub(crate) fn set_muted(muted: bool) -> bool {
    if load() & MUTE == 0 {
        STATE.fetch_or(MUTE, Relaxed);
    }
    MUTED.replace(muted)
}
