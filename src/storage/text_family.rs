//! A family with a free-text label: its series have a cap, and can be removed.
//!
//! Until the first removal, series are found without a lock in a table that only grows. From then on they are in a map under a
//! lock, and a removed series is freed with its last handle.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, PoisonError, Weak},
};

use super::{
    cell::{Cell, Maker},
    sanitize,
    series::{Home, Series},
    sorted::Sorted,
    text_table::{TextTable, hash},
};
use crate::{
    schema::family::LabelDef,
    support::sync::{self, MutexGuard, OnceLock, RwLock, atomic::Ordering::Relaxed},
};

/// The series that a look-up found, and how long it lives.
#[derive(Debug)]
pub(crate) enum Place<'a, C> {
    /// In the table that only grows: it lives as long as the family.
    Kept(&'a Arc<Series<C>>),
    /// In the map: it lives until it is removed. Also a gauge over the cap, which gets a series when another one is removed.
    Counted(Arc<Series<C>>),
}

impl<C: Cell> Place<'_, C> {
    pub(crate) fn series(self) -> Arc<Series<C>> {
        match self {
            Self::Kept(series) => series.clone(),
            Self::Counted(series) => series,
        }
    }
}

#[derive(Debug)]
pub(crate) struct TextFamily<C: Cell> {
    table: TextTable<C>,
    /// All series, since the first removal.
    removable: OnceLock<RwLock<Removable<C>>>,
}

/// The series of a family from which a series was removed.
#[derive(Debug)]
struct Removable<C> {
    /// By the hash of their values.
    series: HashMap<u64, Vec<Arc<Series<C>>>, BuildHasherDefault<AsItIs>>,
    /// The overflow series, which is one of them. It does not count for the cap.
    overflow: Option<Arc<Series<C>>>,
    total: usize,
    /// Changes whenever a series is added or removed.
    version: u64,
}

impl<C> Default for Removable<C> {
    fn default() -> Self {
        Self { series: HashMap::default(), overflow: None, total: 0, version: 1 }
    }
}

/// The hasher of a map whose keys are hashes.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl<C: Cell> Removable<C> {
    fn find<V: AsRef<str>>(&self, hash: u64, values: &[V]) -> Option<&Arc<Series<C>>> {
        self.series.get(&hash)?.iter().find(|series| series.has(hash, values))
    }

    fn insert(&mut self, series: Arc<Series<C>>) {
        self.version = self.version.wrapping_add(1);
        self.series.entry(hash(series.values())).or_default().push(series);
    }

    fn remove<V: AsRef<str>>(&mut self, hash: u64, values: &[V]) -> Option<Arc<Series<C>>> {
        let same = self.series.get_mut(&hash)?;
        let series = same.swap_remove(same.iter().position(|series| series.has(hash, values))?);
        if same.is_empty() {
            self.series.remove(&hash);
        }
        series.set_removed();
        self.version = self.version.wrapping_add(1);
        match self.overflow.take_if(|overflow| Arc::ptr_eq(overflow, &series)) {
            Some(_) => {}
            None => self.total = self.total.saturating_sub(1),
        }
        Some(series)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Series<C>>> {
        self.series.values().flatten()
    }
}

/// Label values as they are stored.
fn clean<'a>(values: &[&'a str]) -> Vec<Cow<'a, str>> {
    values.iter().map(|value| sanitize::clean_value(value)).collect()
}

impl<C: Cell> TextFamily<C> {
    pub(crate) fn new(labels: &'static [LabelDef], cap: usize, maker: Maker<C>) -> Arc<Self> {
        Arc::new_cyclic(|family: &Weak<Self>| Self {
            table: TextTable::of(labels, cap, maker, Some(Arc::new(family.clone()))),
            removable: OnceLock::default(),
        })
    }

    pub(crate) fn cap(&self) -> usize {
        self.table.cap
    }

    /// How many look-ups were over the cap.
    pub(crate) fn overflowed(&self) -> u64 {
        self.table.overflowed.load(Relaxed)
    }

    /// The series with these label values, if that can be said without an allocation (and, until the first removal, without
    /// a lock).
    #[inline]
    pub(crate) fn ready(&self, values: &[&str]) -> Option<Place<'_, C>> {
        if let Some(removable) = self.removable.get() {
            return self.ready_among(removable, values);
        }
        match self.table.peek(values) {
            Some(series) => Some(Place::Kept(series)),
            None if self.table.is_full() => self.ready_when_full(values),
            None => None,
        }
    }

    #[inline(never)]
    fn ready_among(&self, removable: &RwLock<Removable<C>>, values: &[&str]) -> Option<Place<'_, C>> {
        if sync::is_held() {
            return None;
        }
        let removable = removable.read().unwrap_or_else(PoisonError::into_inner);
        removable.find(hash(values), values).cloned().map(Place::Counted)
    }

    #[cold]
    fn ready_when_full(&self, values: &[&str]) -> Option<Place<'_, C>> {
        // A value that is not clean may have a series under its clean form.
        if !values.iter().all(|value| crate::schema::label_list::is_clean_value(value)) {
            return None;
        }
        // The table was full before this search. If a removal closed it, the check below sees that.
        if let Some(series) = self.table.peek(values) {
            return Some(Place::Kept(series));
        }
        if self.removable.get().is_some() {
            return None;
        }
        let place = if C::KIND.adds_up() {
            Place::Kept(self.table.known_overflow()?)
        } else {
            Place::Counted(self.waiting(hash(values), values))
        };
        self.table.overflowed.fetch_add(1, Relaxed);
        Some(place)
    }

    /// The series of a gauge over the cap: it is in no table and marked as removed. So each record looks for a place again, and
    /// finds one after a removal.
    fn waiting<V: AsRef<str>>(&self, hash: u64, values: &[V]) -> Arc<Series<C>> {
        let series = self.table.new_series(hash, values);
        series.set_removed();
        series
    }

    /// The series with these label values. A new one is added; nothing at the cap.
    pub(crate) fn own(&self, values: &[&str]) -> Option<Place<'_, C>> {
        if let Some(removable) = self.removable.get() {
            return self.own_among(removable, values).map(Place::Counted);
        }
        let own = self.table.own_or_new(values).map(Place::Kept);
        // At the cap, or another thread has just removed a series for the first time.
        own.or_else(|| self.own_among(self.removable.get()?, values).map(Place::Counted))
    }

    fn own_among(&self, removable: &RwLock<Removable<C>>, values: &[&str]) -> Option<Arc<Series<C>>> {
        let values = clean(values);
        let hash = hash(&values);
        if let Some(series) = removable.read().unwrap_or_else(PoisonError::into_inner).find(hash, &values) {
            return Some(series.clone());
        }
        let new = self.table.new_series(hash, &values);
        let mut removable = removable.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = removable.find(hash, &values) {
            return Some(series.clone());
        }
        if removable.total >= self.table.cap {
            return None;
        }
        removable.total = removable.total.saturating_add(1);
        removable.insert(new.clone());
        Some(new)
    }

    /// Where records go whose label values are over the cap. Counts the look-up.
    pub(crate) fn over(&self, values: &[&str]) -> Place<'_, C> {
        if !C::KIND.adds_up() {
            self.table.overflowed.fetch_add(1, Relaxed);
            let values = clean(values);
            return Place::Counted(self.waiting(hash(&values), &values));
        }
        if self.removable.get().is_none()
            && let Some(series) = self.table.overflow_or_new()
        {
            return Place::Kept(series);
        }
        let removable = self.removable();
        let other = self.table.other();
        let new = self.table.new_series(hash(&other), &other);
        self.table.overflowed.fetch_add(1, Relaxed);
        let mut removable = removable.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = removable.find(hash(&other), &other) {
            return Place::Counted(series.clone());
        }
        removable.insert(new.clone());
        removable.overflow = Some(new.clone());
        Place::Counted(new)
    }

    /// Removes the series with these label values; says how many of its samples were dropped.
    pub(crate) fn remove(&self, values: &[&str]) -> u64 {
        let values = clean(values);
        let hash = hash(&values);
        if self.removable.get().is_none() && self.table.peek(&values).is_none() {
            // Only the overflow series can have these values and not be in the table.
            let is_overflow = |series: &&Arc<Series<C>>| series.has(hash, &values);
            if self.table.known_overflow().filter(is_overflow).is_none() {
                return 0;
            }
        }
        let removed = self.removable().write().unwrap_or_else(PoisonError::into_inner).remove(hash, &values);
        removed.map_or(0, |series| series.cell.take_dropped())
    }

    /// Removes all series.
    pub(crate) fn clear(&self) -> u64 {
        if self.removable.get().is_none() && self.table.iter().next().is_none() {
            return 0;
        }
        let mut removable = self.removable().write().unwrap_or_else(PoisonError::into_inner);
        let removed = std::mem::take(&mut removable.series);
        removed.values().flatten().for_each(|series| series.set_removed());
        removable.overflow = None;
        removable.total = 0;
        removable.version = removable.version.wrapping_add(1);
        drop(removable);
        removed.values().flatten().map(|series| series.cell.take_dropped()).sum()
    }

    fn removable(&self) -> &RwLock<Removable<C>> {
        if let Some(removable) = self.removable.get() {
            return removable;
        }
        self.table.close(|own, overflow| {
            let mut all = Removable { overflow: overflow.cloned(), ..Removable::default() };
            for series in own {
                all.insert(series.clone());
                all.total = all.total.saturating_add(1);
            }
            overflow.into_iter().for_each(|series| all.insert(series.clone()));
            let _ = self.removable.set(RwLock::new(all));
        });
        // `close` has set it, in this call or in an earlier one.
        self.removable.get_or_init(|| RwLock::new(Removable::default()))
    }

    /// All series sorted by their text, and the overflow series if it is not one of them.
    pub(crate) fn sorted(&self) -> (MutexGuard<'_, Sorted<C>>, Option<&Arc<Series<C>>>) {
        if self.removable.get().is_none() {
            let whole = (self.table.sorted(), self.table.overflow());
            // A first removal in between moves the series out of the table: then some may be missing.
            if self.removable.get().is_none() {
                return whole;
            }
        }
        let mut sorted = self.table.last_sorted();
        let removable = self.removable().read().unwrap_or_else(PoisonError::into_inner);
        // The version is 0 until the first removal, and never again.
        if sorted.version != removable.version {
            let (all, version) = (removable.all().cloned().collect(), removable.version);
            drop(removable);
            sorted.replace(all, version);
        }
        (sorted, None)
    }

    /// As [`Cell::take_dropped`], of all series.
    pub(crate) fn take_dropped(&self) -> u64 {
        match self.removable.get() {
            None => self.table.iter().map(|series| series.cell.take_dropped()).sum(),
            Some(removable) => {
                let removable = removable.read().unwrap_or_else(PoisonError::into_inner);
                removable.all().map(|series| series.cell.take_dropped()).sum()
            }
        }
    }

    /// How many series there are, without the overflow series.
    #[cfg(all(test, models))]
    pub(crate) fn len(&self) -> usize {
        match self.removable.get() {
            None => self.table.own().count(),
            Some(removable) => removable.read().unwrap_or_else(PoisonError::into_inner).total,
        }
    }
}

impl<C: Cell> Home<C> for TextFamily<C> {
    fn anew(&self, removed: &Series<C>) -> Option<Arc<Series<C>>> {
        let values: Vec<&str> = removed.values().iter().map(AsRef::as_ref).collect();
        let own = self.own(&values).map(Place::series);
        // A gauge over the cap was counted when its handle was taken.
        own.or_else(|| C::KIND.adds_up().then(|| self.over(&values).series()))
    }
}
