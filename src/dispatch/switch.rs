//! On or off, and for whom: one byte that every record reads, and the scopes behind it.
//!
//! 0 is off. [`GLOBAL`] alone is the ordinary case: everything goes to the process's one service. With [`LOCAL`] set,
//! a scope was used at some time, and a thread-local says which service this thread records into. With [`MUTE`] set,
//! another says whether it records at all.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::instance::Instance;
use crate::{
    storage::Store,
    support::sync::{
        self, OnceLock,
        atomic::{AtomicU8, Ordering::Relaxed},
        shared,
    },
};

/// The global service is on.
pub(crate) const GLOBAL: u8 = 1;
/// A scope was used, or can be: there is a thread-local to ask.
pub(crate) const LOCAL: u8 = 2;
/// Workflow code runs in this process: while it replays, its thread records nothing.
const MUTE: u8 = 4;
/// Without workflow code nobody sets it, and nobody has to look.
pub(crate) const CAN_MUTE: bool = cfg!(feature = "temporal");

shared! {
    static STATE: AtomicU8 = AtomicU8::new(0);
    /// Made once and never dropped: a service that starts after a shutdown goes on with the same storage.
    static STORE: OnceLock<Arc<Store>> = OnceLock::new();
}

thread_local! {
    static SCOPE: RefCell<Scope> = const { RefCell::new(Scope::None) };
    /// Scopes entered after `SCOPE` was destroyed: whose they are cannot be kept any more, only that they are. Needs no
    /// destructor, so it is there to the end.
    static LATE_SCOPES: Cell<u32> = const { Cell::new(0) };
    /// Whether this thread is muted. Needs no destructor either.
    static MUTED: Cell<bool> = const { Cell::new(false) };
    /// In how many slow paths this thread is. Nor does this.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// What a thread's scope says.
#[derive(Clone, Debug)]
enum Scope {
    None,
    /// A service, on as long as it says so itself.
    Of(Arc<Instance>),
    /// The scope of a service that never was on: records go nowhere.
    Off,
}

/// Where a record goes.
pub(crate) enum Target {
    Global(&'static Arc<Store>),
    Scoped(Arc<Store>),
    Off,
}

impl Target {
    pub(crate) fn store(&self) -> Option<&Arc<Store>> {
        match self {
            Self::Global(store) => Some(store),
            Self::Scoped(store) => Some(store),
            Self::Off => None,
        }
    }
}

/// The byte. Relaxed: it decides whether to record, and the storage itself is published by its own locks.
#[inline]
fn load() -> u8 {
    STATE.load(Relaxed)
}

/// The byte, to find a handle.
#[inline]
pub(crate) fn load_for_handle() -> u8 {
    if CAN_MUTE { load() & !MUTE } else { load() }
}

/// Whether there is anybody to record for: the cheapest question, for what is rarely asked on.
#[inline(always)]
pub(crate) fn is_anybody_on() -> bool {
    load() != 0
}

/// Switches the global service on or off for the macros.
pub(crate) fn set_global(on: bool) {
    if on {
        STATE.fetch_or(GLOBAL, Relaxed);
    } else {
        STATE.fetch_and(!GLOBAL, Relaxed);
    }
}

/// Whether the global service is on.
pub(crate) fn is_global_on() -> bool {
    load() & GLOBAL != 0
}

/// From now on a thread-local has to be asked.
pub(crate) fn allow_scopes() {
    STATE.fetch_or(LOCAL, Relaxed);
}

/// The storage of the process's one service, if there ever was one.
pub(crate) fn global_store() -> Option<&'static Arc<Store>> {
    STORE.get()
}

/// Keeps the storage of the first global service.
pub(crate) fn set_global_store(store: Arc<Store>) {
    // The caller holds the lock of the life cycle and saw that there is none.
    let _ = STORE.set(store);
}

/// Where a record of this thread goes now.
pub(crate) fn target() -> Target {
    let state = load_for_handle();
    target_if(state, state & GLOBAL != 0)
}

/// Where a removal of this thread goes: as a record, but to the process's one service also while that is stopped, for its
/// storage goes on with the next.
pub(crate) fn target_to_remove() -> Target {
    if MUTED.get() { Target::Off } else { target_if(load_for_handle(), true) }
}

/// Whether there is anything to remove from.
#[inline]
pub(crate) fn can_remove() -> bool {
    load() != 0 || STORE.get().is_some()
}

fn target_if(state: u8, is_global_open: bool) -> Target {
    if state & LOCAL != 0 {
        // A thread that is being torn down has no scope any more.
        match SCOPE.try_with(|scope| scope.try_borrow().map_or(Scope::Off, |scope| scope.clone())) {
            Ok(Scope::Of(running)) if !running.is_on() => return Target::Off,
            // The scope of the process's own service: as if there were none.
            Ok(Scope::Of(running)) if running.is_global() => {}
            Ok(Scope::Of(running)) => return Target::Scoped(running.store().clone()),
            Ok(Scope::Off) => return Target::Off,
            // In a thread that is being torn down, a record in a scope goes nowhere rather than to the wrong service.
            Err(_) if LATE_SCOPES.get() > 0 => return Target::Off,
            Ok(Scope::None) | Err(_) => {}
        }
    }
    match STORE.get() {
        Some(store) if is_global_open => Target::Global(store),
        _ => Target::Off,
    }
}

/// Whether a record of this thread goes to the global service.
#[inline(always)]
pub(crate) fn is_global(state: u8) -> bool {
    state == GLOBAL || is_global_here(state)
}

/// The byte for a record: 0 while this thread is muted, whatever handle it uses. Handles are found all the same, so that
/// one that is taken in a replay counts after it.
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

/// Whether a record of this thread goes to the global service, where the byte alone cannot tell. For `extern "C"` see
/// [`catch_panic`].
#[inline(never)]
extern "C" fn is_global_here(state: u8) -> bool {
    let is_global = |scope: &RefCell<Scope>| {
        scope.try_borrow().is_ok_and(|scope| match &*scope {
            Scope::None => true,
            Scope::Of(running) => running.is_global() && running.is_on(),
            Scope::Off => false,
        })
    };
    state & GLOBAL != 0 && SCOPE.try_with(is_global).unwrap_or_else(|_| LATE_SCOPES.get() == 0)
}

/// Whether a record of this thread would go anywhere, where the byte alone cannot tell.
#[cold]
pub(crate) fn is_on_here() -> bool {
    !matches!(target(), Target::Off)
}

/// How deep slow paths can lie in each other: a log line of one may record, and that may have something to say itself.
const DEEPEST: u32 = 3;

/// One slow path that this thread is in.
struct Level;

impl Level {
    /// Nothing where this thread must not go in: it holds a lock of ours, or it is in too deep. Both come from an allocator
    /// that records metrics, which would wait for itself or call itself without end.
    fn enter() -> Option<Self> {
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

/// Runs a slow path of instrumentation: whatever it does, the application goes on. Nothing where it would wait for itself.
pub(crate) fn catch_and_report<R>(metric: &str, store: &Store, run: impl FnOnce() -> R) -> Option<R> {
    let _level = Level::enter()?;
    caught(metric, store, run)
}

/// Runs a part of a slow path whose fault is to be told in its own name.
pub(crate) fn caught<R>(metric: &str, store: &Store, run: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Some(result),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
            store.health.fault(metric, &format!("panic: {text}"));
            discard(payload);
            None
        }
    }
}

/// Runs what a record calls and what must not unwind. Such functions are `extern "C"`, which tells the compiler so: else
/// every call site would keep its handle in memory, to be dropped by a panic that never comes, which costs a disabled
/// record more than its load and branch. A panic that gets here was not caught further in, and goes no further out.
pub(crate) fn catch_panic(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        discard(payload);
    }
}

/// Runs a slow path that has no store to tell its faults: nothing where it would wait for itself.
pub(crate) fn slow(run: impl FnOnce()) {
    if let Some(_level) = Level::enter() {
        catch_panic(run);
    }
}

/// Drops what a handle holds: it may be somebody else's, and an allocator may record that it is freed.
pub(crate) fn discard_held(held: impl Sized) {
    let _level = Level::one_more();
    catch_panic(|| drop(held));
}

/// Drops what a panic left, which can panic again; what that leaves is leaked.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Silence on this thread, as long as it lives: for handles of ours, and for those that the macros of `metrics` give out
/// meanwhile.
#[cfg(feature = "temporal")]
pub(crate) struct Muted {
    before: bool,
    _recorder: metrics::LocalRecorderGuard<'static>,
}

/// Mutes this thread, or not: then only handles of the `metrics` crate that are taken meanwhile are of the kind that can be
/// muted later.
#[cfg(feature = "temporal")]
pub(crate) fn mute(muted: bool) -> Muted {
    if load() & MUTE == 0 {
        STATE.fetch_or(MUTE, Relaxed);
    }
    Muted {
        before: MUTED.replace(muted),
        _recorder: metrics::set_default_local_recorder(&crate::facade::handles::Muting),
    }
}

#[cfg(feature = "temporal")]
impl Drop for Muted {
    fn drop(&mut self) {
        MUTED.set(self.before);
    }
}

/// The scope of a service, for this thread and as long as it lives; also the local recorder of `metrics`, so that
/// libraries which use its macros record into the same service.
pub(crate) struct Entered<'a> {
    /// Nothing on a thread that is being torn down.
    before: Option<Scope>,
    _recorder: metrics::LocalRecorderGuard<'a>,
}

/// Enters the scope of a service; one that never was on has nothing running.
pub(crate) fn enter(running: Option<&Arc<Instance>>) -> Entered<'_> {
    allow_scopes();
    let scope = running.map_or(Scope::Off, |running| Scope::Of(running.clone()));
    let before = SCOPE.try_with(|current| current.replace(scope)).ok();
    if before.is_none() {
        LATE_SCOPES.set(LATE_SCOPES.get().saturating_add(1));
    }
    let local: &dyn metrics::Recorder = match running {
        // A muted thread stays so in a scope; this recorder asks the scope at each look-up.
        #[cfg(feature = "temporal")]
        _ if MUTED.get() => &crate::facade::handles::Muting,
        Some(running) if running.is_on() => running.recorder(),
        _ => &metrics::NoopRecorder,
    };
    Entered { before, _recorder: metrics::set_default_local_recorder(local) }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let Some(before) = self.before.take() else {
            LATE_SCOPES.set(LATE_SCOPES.get().saturating_sub(1));
            return;
        };
        let inside = SCOPE.try_with(|current| current.replace(before));
        // Dropped outside the borrow: the last handle on a storage may run code of its own.
        drop(inside);
    }
}
