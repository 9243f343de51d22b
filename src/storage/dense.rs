//! The series of a family whose labels are all closed sets: one slot for each combination, made at once.

use std::{
    ops::Deref,
    sync::{Arc, PoisonError},
};

use super::{
    cell::{Apply, Cell},
    sanitize,
    series::counts_since,
};
use crate::{
    schema::{family::FamilyDef, limits::OTHER},
    support::{
        reentrancy::slow,
        sync::{OnceBox, RwLock},
    },
};

#[derive(Debug)]
pub(crate) struct DenseTable<C> {
    slots: Arc<[Slot<C>]>,
    /// When the first values of all slots began.
    created: u64,
    /// How many combinations there are.
    size: usize,
    /// The slot for values outside the sets: one behind the combinations, or the combination whose values are all `other`.
    overflow: usize,
    label_texts: Box<[Box<str>]>,
    /// Slots sorted by label text.
    order: Box<[usize]>,
}

impl<C: Cell> DenseTable<C> {
    /// The table of a family; nothing where a label is free text.
    pub(crate) fn new(def: &FamilyDef) -> Option<Self> {
        let sizes: Option<Vec<usize>> = def.labels.iter().map(|label| label.values.map(<[_]>::len)).collect();
        let size: usize = sizes?.iter().product();
        let names = || def.labels.iter().map(|label| label.name);
        let mut label_texts: Vec<Box<str>> =
            (0..size).map(|index| sanitize::label_text(names().zip(def.values_at(index)))).collect();
        let other = sanitize::label_text(names().map(|name| (name, OTHER)));
        let overflow = label_texts.iter().position(|text| *text == other).unwrap_or(size);
        if overflow == size {
            label_texts.push(other);
        }
        let mut order: Vec<usize> = (0..label_texts.len()).collect();
        order.sort_by(|a, b| label_texts.get(*a).cmp(&label_texts.get(*b)));
        let maker = C::maker(def);
        let slots = label_texts.iter().map(|_| Slot { first: maker.make(), later: OnceBox::default() }).collect();
        Some(Self {
            slots,
            created: counts_since(),
            size,
            overflow,
            label_texts: label_texts.into(),
            order: order.into(),
        })
    }

    /// The slots, for a call site to keep.
    pub(crate) fn slots(&self) -> &Arc<[Slot<C>]> {
        &self.slots
    }

    /// The series of these values, in a family with this definition.
    pub(crate) fn series(&self, def: &FamilyDef, values: &[&str]) -> DenseSeries<C> {
        DenseSeries { slots: self.slots.clone(), index: def.index_of(values).unwrap_or(self.overflow) }
    }

    /// Removes the series of these values, or all; says how many of their samples were dropped.
    pub(crate) fn remove(&self, def: &FamilyDef, values: Option<&[&str]>) -> u64 {
        let Some(values) = values else { return self.slots.iter().map(Slot::remove).sum() };
        self.slots.get(def.index_of(values).unwrap_or(self.overflow)).map_or(0, Slot::remove)
    }

    /// As [`Cell::take_dropped`], of all series.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.slots.iter().map(Slot::take_dropped).sum()
    }

    /// Shows label texts, when each value began, and values, sorted by text. The slot for values outside the sets is left out until
    /// something is recorded in it.
    pub(crate) fn for_each(&self, mut show: impl FnMut(&str, u64, &C)) {
        for &index in &self.order {
            let shown = self.slots.get(index).and_then(Slot::shown);
            let (Some(cell), Some(labels)) = (shown, self.label_texts.get(index)) else { continue };
            if index < self.size || !cell.is_untouched() {
                show(labels, cell.created().unwrap_or(self.created), &cell);
            }
        }
    }
}

/// A series of a dense table, which it keeps alive.
#[derive(Debug)]
pub(crate) struct DenseSeries<C> {
    slots: Arc<[Slot<C>]>,
    index: usize,
}

impl<C> Clone for DenseSeries<C> {
    fn clone(&self) -> Self {
        Self { slots: self.slots.clone(), index: self.index }
    }
}

impl<C: Cell> DenseSeries<C> {
    /// As [`Slot::later`].
    pub(crate) fn later(&self) -> Option<Arc<C>> {
        self.slots.get(self.index)?.later()
    }

    /// Changes the first value, also after a removal.
    pub(crate) fn apply_first(&self, op: C::Op) {
        if let Some(slot) = self.slots.get(self.index) {
            slot.first.apply(op);
        }
    }
}

impl<C: Cell> Apply<C> for DenseSeries<C> {
    fn apply(&self, op: C::Op) {
        if let Some(slot) = self.slots.get(self.index) {
            slot.apply(op);
        }
    }
}

/// One place of a dense table, in a cache line that it shares with no other: threads on different series do not meet. Eight
/// counters in one line took four times what they take apart (`contention/counter-many` in the bench target `recording`).
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Slot<C> {
    /// The value until the first removal.
    first: C,
    /// The value since then, under a lock: nothing from a removal to the next record.
    later: OnceBox<RwLock<Option<Later<C>>>>,
}

/// A value that began after a removal.
#[derive(Debug)]
pub(crate) struct Later<C> {
    created: u64,
    value: Arc<C>,
}

impl<C> Clone for Later<C> {
    fn clone(&self) -> Self {
        Self { created: self.created, value: self.value.clone() }
    }
}

impl<C: Cell> Later<C> {
    fn alike(first: &C) -> Self {
        Self { created: counts_since(), value: Arc::new(first.alike()) }
    }
}

/// The value of a slot, for a scrape.
pub(crate) enum Shown<'a, C> {
    First(&'a C),
    Later(Later<C>),
}

impl<C> Shown<'_, C> {
    /// When it began; nothing for a first value.
    fn created(&self) -> Option<u64> {
        match self {
            Self::First(_) => None,
            Self::Later(later) => Some(later.created),
        }
    }
}

impl<C> Deref for Shown<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        match self {
            Self::First(cell) => cell,
            Self::Later(later) => &later.value,
        }
    }
}

impl<C: Cell> Slot<C> {
    #[inline(always)]
    pub(crate) fn apply(&self, op: C::Op) {
        if self.later.get().is_none() {
            self.first.apply(op);
        } else {
            self.apply_later(op);
        }
    }

    /// For `extern "C"` see [`catch_panic`](crate::support::panics::catch_panic).
    #[inline(never)]
    extern "C" fn apply_later(&self, op: C::Op) {
        slow(|| {
            let Some(later) = self.later.get() else { return };
            if let Some(later) = &*later.read().unwrap_or_else(PoisonError::into_inner) {
                return later.value.apply(op);
            }
            let new = Later::alike(&self.first);
            later.write().unwrap_or_else(PoisonError::into_inner).get_or_insert(new).value.apply(op);
        });
    }

    /// The value until the first removal.
    pub(crate) fn first(&self) -> &C {
        &self.first
    }

    /// The value that takes changes now; nothing while it is the first one.
    pub(crate) fn later(&self) -> Option<Arc<C>> {
        let later = self.later.get()?;
        if let Some(later) = &*later.read().unwrap_or_else(PoisonError::into_inner) {
            return Some(later.value.clone());
        }
        let new = Later::alike(&self.first);
        Some(later.write().unwrap_or_else(PoisonError::into_inner).get_or_insert(new).value.clone())
    }

    /// The value; nothing from a removal to the next record.
    pub(crate) fn shown(&self) -> Option<Shown<'_, C>> {
        match self.later.get() {
            None => Some(Shown::First(&self.first)),
            Some(later) => later.read().unwrap_or_else(PoisonError::into_inner).clone().map(Shown::Later),
        }
    }

    /// Removes the value; says how many of its samples were dropped. A record that has already checked for a removal still goes to the
    /// removed value: it counts as made before.
    pub(crate) fn remove(&self) -> u64 {
        let later = match self.later.get() {
            Some(later) => later,
            None => {
                let new = Box::new(RwLock::new(None));
                let _ = self.later.set(new);
                let Some(later) = self.later.get() else { return 0 };
                later
            }
        };
        let removed = later.write().unwrap_or_else(PoisonError::into_inner).take();
        removed.map_or(0, |later| later.value.take_dropped())
    }

    /// As [`Cell::take_dropped`], of all that the slot has held.
    fn take_dropped(&self) -> u64 {
        let later = self.later.get().and_then(|_| self.shown()).map_or(0, |cell| cell.take_dropped());
        self.first.take_dropped().saturating_add(later)
    }
}
