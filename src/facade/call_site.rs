//! A call site: a small static that caches the series it records to.
//!
//! `counter!("name", "label" => "value")` with literals puts one into a `static`. It finds its series at the first record
//! while monitoring is on, and keeps it, so that every later record is the load of the switch, a look at the cache, and the
//! update. In a scope it asks each time, because the scope's series are others.

use metrics::{Key, Label};

use super::{held::Held, pinned::Pinned};
use crate::{
    dispatch::{
        switch::{self, GLOBAL},
        target::{Gated, Target, is_global, target},
    },
    storage::{owner::Stored, resolved::Resolved},
    support::{panics::catch_panic, sync::OnceLock},
};

/// A call site of one kind of value.
#[derive(Debug)]
pub struct SiteCore<C: Stored> {
    key: Key,
    kept: OnceLock<Resolved<C>>,
}

impl<C: Stored> SiteCore<C> {
    /// A site of this name with these labels.
    pub(super) const fn new(name: &'static str, labels: &'static [Label]) -> Self {
        Self { key: Key::from_static_parts(name, labels), kept: OnceLock::new() }
    }

    /// A site of one run of a model.
    #[cfg(all(test, models))]
    pub(super) fn of_this_run(name: &'static str) -> Self {
        Self { key: Key::from_static_name(name), kept: OnceLock::default() }
    }

    #[inline(always)]
    pub(super) fn record(&'static self, state: u8, op: C::Op) {
        if is_global(state)
            && let Some(kept) = self.kept.get()
        {
            kept.apply(op);
        } else {
            self.record_slow(op);
        }
    }

    /// Makes the series, so that it is there, at 0, before anything is recorded.
    #[inline(always)]
    pub(super) fn take(&'static self) {
        let state = switch::load_for_handle();
        if state != 0 && (state != GLOBAL || self.kept.get().is_none()) {
            self.take_slow();
        }
    }

    #[cold]
    #[inline(never)]
    extern "C" fn take_slow(&'static self) {
        catch_panic(|| {
            let target = target();
            let is_global = matches!(target, Target::Global(_));
            let Some(store) = target.store().filter(|_| !is_global || self.kept.get().is_none()) else { return };
            let found = store.diagnostics.catch_and_report(self.key.name(), || store.present(&self.key));
            // A refusal is not kept: the first record reports it.
            if let Some(found) = found.filter(|found| is_global && !matches!(found, Resolved::Nothing)) {
                self.kept.get_or_init(|| found);
            }
        });
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// The series of this thread's service. For `extern "C"` see [`catch_panic`].
    #[inline(never)]
    #[allow(
        improper_ctypes_definitions,
        reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind"
    )]
    pub(super) extern "C" fn pin(&'static self, state: u8) -> Option<Pinned<C>> {
        if is_global(state)
            && let Some(kept) = self.kept.get()
        {
            return Some(Pinned::Site(kept));
        }
        let mut pinned = None;
        catch_panic(|| pinned = self.pin_slow());
        pinned
    }

    #[cold]
    fn pin_slow(&'static self) -> Option<Pinned<C>> {
        let target = target();
        let store = target.store()?;
        let found = || {
            let found = store.resolve(&self.key);
            match &target {
                Target::Global(_) => Some(Pinned::Site(self.kept.get_or_init(|| found))),
                _ => Gated::new(found, &target).map(|series| Pinned::Gated(Held::new(Some(series)))),
            }
        };
        store.diagnostics.catch_and_report(self.key.name(), found).flatten()
    }

    #[cold]
    #[inline(never)]
    extern "C" fn record_slow(&'static self, op: C::Op) {
        catch_panic(|| {
            let target = target();
            let Some(store) = target.store() else { return };
            let _ = store.diagnostics.catch_and_report(self.key.name(), || {
                // Resolved before it is kept: a fault logs, and a subscriber may come back to this very site.
                let resolved = store.resolve(&self.key);
                match target {
                    Target::Global(_) => self.kept.get_or_init(|| resolved).apply(op),
                    _ => resolved.apply(op),
                }
            });
        });
    }
}
