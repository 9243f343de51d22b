//! Which service this thread records into.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use super::{
    instance::{Instance, global_store},
    switch::{self, GLOBAL, LOCAL},
};
use crate::{
    storage::{bridge::Bridge, cell::Apply, recorder::StoreRecorder, resolved::Resolved, store::Store},
    support::panics::catch_panic,
};

thread_local! {
    static SCOPE: RefCell<Scope> = const { RefCell::new(Scope::None) };
    /// How many scopes this thread has entered after `SCOPE` was destroyed. Their services cannot be stored any more. Needs no
    /// destructor.
    static LATE_SCOPES: Cell<u32> = const { Cell::new(0) };
}

/// The scope of a thread.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    None,
    /// Of a service, which says itself whether it is on.
    Of(Arc<Instance>),
    /// Of a service that never was on: nothing is recorded.
    Off,
}

/// Where a record goes.
pub(crate) enum Target {
    /// To the process's one service.
    Global(&'static Arc<Store>),
    /// To the service of a scope.
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

/// Where a record of this thread goes now: to its scope, else to the process's one service, else nowhere.
pub(crate) fn target() -> Target {
    let state = switch::load_for_handle();
    target_if(state, state & GLOBAL != 0)
}

/// Where a removal of this thread goes: as a record, but also to the store of the process's one service while that is stopped, because
/// the next service goes on with it.
pub(crate) fn target_to_remove() -> Target {
    if switch::is_muted() { Target::Off } else { target_if(switch::load_for_handle(), true) }
}

/// Whether there is anything to remove from.
#[inline]
pub(crate) fn can_remove() -> bool {
    switch::is_anybody_on() || global_store().is_some()
}

fn target_if(state: u8, is_global_open: bool) -> Target {
    if state & LOCAL != 0 {
        match SCOPE.try_with(|scope| scope.try_borrow().map_or(Scope::Off, |scope| scope.clone())) {
            Ok(Scope::Of(instance)) if !instance.is_on() => return Target::Off,
            // The scope of the process's own service: as if there were none.
            Ok(Scope::Of(instance)) if instance.is_global() => {}
            Ok(Scope::Of(instance)) => return Target::Scoped(instance.store().clone()),
            Ok(Scope::Off) => return Target::Off,
            // The thread is being torn down and in a scope: the record goes nowhere rather than to the wrong service.
            Err(_) if LATE_SCOPES.get() > 0 => return Target::Off,
            Ok(Scope::None) | Err(_) => {}
        }
    }
    match global_store() {
        Some(store) if is_global_open => Target::Global(store),
        _ => Target::Off,
    }
}

/// Whether a record of this thread goes to the process's one service.
#[inline(always)]
pub(crate) fn is_global(state: u8) -> bool {
    state == GLOBAL || is_global_here(state)
}

/// The same where the byte alone cannot tell. For `extern "C"` see [`catch_panic`].
#[inline(never)]
extern "C" fn is_global_here(state: u8) -> bool {
    let is_global = |scope: &RefCell<Scope>| {
        scope.try_borrow().is_ok_and(|scope| match &*scope {
            Scope::None => true,
            Scope::Of(instance) => instance.is_global() && instance.is_on(),
            Scope::Off => false,
        })
    };
    state & GLOBAL != 0 && SCOPE.try_with(is_global).unwrap_or_else(|_| LATE_SCOPES.get() == 0)
}

/// Whether a record of this thread would go anywhere.
#[inline]
pub fn is_on() -> bool {
    match switch::load_for_handle() {
        0 => false,
        GLOBAL => true,
        _ => is_on_here(),
    }
}

/// The same where the byte alone cannot tell.
#[cold]
fn is_on_here() -> bool {
    !matches!(target(), Target::Off)
}

/// Replaces the scope of this thread; nothing on a thread that is being torn down.
pub(super) fn replace_scope(scope: Scope) -> Option<Scope> {
    let before = SCOPE.try_with(|current| current.replace(scope)).ok();
    if before.is_none() {
        LATE_SCOPES.set(LATE_SCOPES.get().saturating_add(1));
    }
    before
}

/// Puts the scope of this thread back. Nothing comes from a thread that is being torn down: then one scope less is counted.
pub(super) fn restore_scope(before: Option<Scope>) {
    let Some(before) = before else {
        LATE_SCOPES.set(LATE_SCOPES.get().saturating_sub(1));
        return;
    };
    let inside = SCOPE.try_with(|current| current.replace(before));
    // Dropped outside the borrow: the last handle on a store may run code of its own.
    drop(inside);
}

/// Runs a description against the service that this thread records into.
pub fn describe(run: impl FnOnce(&dyn metrics::Recorder)) {
    if let Some(store) = target().store() {
        let recorder = StoreRecorder(store.clone());
        let _ = store.diagnostics.catch_and_report("describe", || run(&recorder));
    }
}

/// A series, and when it takes records.
#[derive(Debug)]
pub struct Gated<C: Bridge> {
    series: Resolved<C>,
    gate: Gate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// While the process's one service is on.
    Global,
    /// Always: the scope was asked when the series was looked up.
    Scoped,
    /// While a record of this thread would go anywhere: a foreign handle of the `metrics` crate.
    Foreign,
}

impl<C: Bridge> Gated<C> {
    /// A series that was looked up in this target; nothing if it was refused.
    pub(crate) fn new(series: Resolved<C>, target: &Target) -> Option<Self> {
        let gate = if matches!(target, Target::Global(_)) { Gate::Global } else { Gate::Scoped };
        (!matches!(series, Resolved::Nothing)).then_some(Self { series, gate })
    }

    /// A foreign handle of the `metrics` crate.
    pub(crate) fn foreign(raw: C::Raw) -> Self {
        Self { series: Resolved::Raw(raw), gate: Gate::Foreign }
    }

    /// The foreign handle, if it is one.
    pub(crate) fn as_foreign(&self) -> Option<&C::Raw> {
        match &self.series {
            Resolved::Raw(raw) if self.gate == Gate::Foreign => Some(raw),
            _ => None,
        }
    }

    pub(crate) fn series(&self) -> &Resolved<C> {
        &self.series
    }

    /// Whether it takes a record that is made in this state of the switch.
    pub(crate) fn is_open(&self, state: u8) -> bool {
        match self.gate {
            Gate::Global => state & GLOBAL != 0,
            Gate::Scoped => true,
            Gate::Foreign => is_on(),
        }
    }

    /// Takes a record that was made in this state.
    pub(crate) fn record(&self, state: u8, op: C::Op) {
        if self.is_open(state) {
            catch_panic(|| self.series.apply(op));
        }
    }
}

/// Takes a change whatever the state of the switch is.
impl<C: Bridge> Apply<C> for Gated<C> {
    fn apply(&self, op: C::Op) {
        self.series.apply(op);
    }
}
