//! A declared family in a `static`: it finds its series in the store when it is first used while monitoring is on.

use std::sync::Arc;

use super::{early::Early, held::Held, pinned::Pinned};
use crate::{
    dispatch::{
        switch::{self, GLOBAL},
        target::{Gated, Target, can_remove, is_global, target, target_to_remove},
    },
    schema::family::FamilyDef,
    storage::{
        declared::Table,
        dense::Slot,
        owner::{Lookup, Stored},
        resolved::Resolved,
        series::Series,
        store::Store,
        text_family::{Place, TextFamily},
    },
    support::{panics::catch_panic, sync::OnceLock},
};

/// The index of a value that its closed set does not have.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// A family of one kind of value.
#[derive(Debug)]
pub struct LazyFamilyCore<C: Stored> {
    def: &'static FamilyDef,
    early: Early,
    /// The slots of a family of closed sets, in the process's one service. Empty for free text, and where the name belongs to
    /// another kind or was used before it was declared: then the series is looked up each time.
    slots: OnceLock<Arc<[Slot<C>]>>,
    /// The same of a family of free text.
    text: OnceLock<Arc<TextFamily<C>>>,
}

/// The result of a look-up of free text. It has the variants of [`Binding`](super::binding::Binding) that a look-up can give, so
/// that the compiler need not handle the others at the call site.
pub(super) enum Found<C: Stored> {
    Kept(&'static Series<C>),
    Counted(Held<Series<C>>),
    Gated(Held<Gated<C>>),
}

impl<C: Stored> LazyFamilyCore<C> {
    pub(super) const fn new(def: &'static FamilyDef) -> Self {
        Self { def, early: Early::new(def.name), slots: OnceLock::new(), text: OnceLock::new() }
    }

    /// A family of one run of a model.
    #[cfg(all(test, models))]
    pub(super) fn of_this_run(def: &'static FamilyDef) -> Self {
        Self { def, early: Early::new(def.name), slots: OnceLock::default(), text: OnceLock::default() }
    }

    pub(super) fn def(&self) -> &'static FamilyDef {
        self.def
    }

    /// For the handles that are taken while monitoring is off.
    pub(super) fn early(&'static self) -> &'static Early {
        &self.early
    }

    #[inline(always)]
    pub(super) fn record(&'static self, state: u8, index: usize, op: C::Op) {
        if is_global(state)
            && let Some(slots) = self.slots.get()
            && let Some(slot) = slots.get(index)
        {
            slot.apply(op);
        } else {
            self.record_slow(index, op);
        }
    }

    /// The series in the store of one service, whatever scope this is.
    pub(super) fn series_in(&self, store: &Store, index: usize) -> Resolved<C> {
        store.declared_series(self.def, &self.values(index))
    }

    /// The series of this thread's service. For `extern "C"` see [`catch_panic`].
    #[inline(never)]
    #[allow(
        improper_ctypes_definitions,
        reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind"
    )]
    pub(super) extern "C" fn pin(&'static self, state: u8, index: usize) -> Option<Pinned<C>> {
        if is_global(state)
            && let Some(slots) = self.slots.get()
            && let Some(slot) = slots.get(index)
        {
            return Some(Pinned::Slot(slot));
        }
        let mut pinned = None;
        catch_panic(|| pinned = self.pin_slow(index));
        pinned
    }

    #[cold]
    fn pin_slow(&'static self, index: usize) -> Option<Pinned<C>> {
        let target = target();
        let store = target.store()?;
        let find = || Gated::new(self.series(&target, store, &self.values(index)), &target);
        let found = store.diagnostics.catch_and_report(self.def.name, find).flatten();
        found.map(|series| Pinned::Gated(Held::new(Some(series))))
    }

    #[cold]
    #[inline(never)]
    extern "C" fn record_slow(&'static self, index: usize, op: C::Op) {
        catch_panic(|| {
            let target = target();
            let Some(store) = target.store() else { return };
            let record = || self.series(&target, store, &self.values(index)).apply(op);
            let _ = store.diagnostics.catch_and_report(self.def.name, record);
        });
    }

    /// The label values that a place in the dense table stands for.
    fn values(&self, index: usize) -> Vec<&'static str> {
        if index == OUTSIDE {
            // No closed set has this value, so the family treats it as one that is outside.
            return vec!["\0"; self.def.labels.len()];
        }
        self.def.values_at(index)
    }

    /// Found before it is kept: a fault is logged, and the subscriber may record into this very family.
    fn series(&'static self, target: &Target, store: &Store, values: &[&str]) -> Resolved<C> {
        let family = store.family(self.def);
        let series = store.series_of(&family, self.def, values);
        self.keep(target, &family);
        series
    }

    fn keep(&'static self, target: &Target, family: &Lookup<C>) {
        if !matches!(target, Target::Global(_)) {
            return;
        }
        let table = if let Lookup::Declared(family) = family { Some(&family.table) } else { None };
        if let Some(Table::Text(text)) = table {
            self.text.get_or_init(|| text.clone());
        }
        self.slots
            .get_or_init(|| if let Some(Table::Dense(dense)) = table { dense.slots().clone() } else { Arc::default() });
    }

    /// Makes the series of a family of closed sets, so that they are there, at 0, before anything is recorded.
    #[inline(always)]
    pub(super) fn take(&'static self) {
        let state = switch::load_for_handle();
        if state != 0 && (state != GLOBAL || self.slots.get().is_none()) {
            self.take_slow();
        }
    }

    #[cold]
    #[inline(never)]
    extern "C" fn take_slow(&'static self) {
        catch_panic(|| {
            let target = target();
            let is_global = matches!(target, Target::Global(_));
            let Some(store) = target.store().filter(|_| !is_global || self.slots.get().is_none()) else { return };
            let take = || {
                let family = store.look_up(self.def);
                // What is wrong with another declaration of the name, the first record reports: until then nothing is kept.
                if family.is_of(self.def) {
                    self.keep(&target, &family);
                }
            };
            let _ = store.diagnostics.catch_and_report(self.def.name, take);
        });
    }

    /// The series of these label values; nothing while no service is on.
    #[inline(never)]
    pub(super) fn find(&'static self, state: u8, values: &[&str]) -> Option<Found<C>> {
        if is_global(state)
            && let Some(text) = self.text.get()
        {
            match text.ready(values) {
                Some(Place::Kept(series)) => return Some(Found::Kept(series)),
                Some(Place::Counted(series)) => return Some(Found::Counted(Held::shared(series))),
                None => {}
            }
        }
        self.find_slow(values)
    }

    #[cold]
    #[inline(never)]
    fn find_slow(&'static self, values: &[&str]) -> Option<Found<C>> {
        let target = target();
        let store = target.store()?;
        // The handle is made inside too, because it allocates.
        let find = || Held::new(Gated::new(self.series(&target, store, values), &target));
        let found = store.diagnostics.catch_and_report(self.def.name, find);
        Some(Found::Gated(found.unwrap_or_else(|| Held::new(None))))
    }

    #[inline(always)]
    pub(super) fn remove<'a, const N: usize>(&'static self, values: impl FnOnce() -> [&'a str; N]) {
        if can_remove() {
            self.remove_slow(Some(&values()));
        }
    }

    pub(super) fn clear(&'static self) {
        if can_remove() {
            self.remove_slow(None);
        }
    }

    #[inline(never)]
    fn remove_slow(&'static self, values: Option<&[&str]>) {
        let target = target_to_remove();
        if let Some(store) = target.store() {
            let remove = || store.remove::<C>(self.def, values);
            let _ = store.diagnostics.catch_and_report(self.def.name, remove);
        }
    }
}
