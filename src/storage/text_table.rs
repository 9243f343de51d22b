//! A hash table from label values to series: it only grows, up to a cap, and is read without a lock.
//!
//! It has levels. Each level has four times the slots of the one before and is at most half full, so an empty slot ends every
//! search. A reader searches the largest level first and never waits. Only the insertion of a new series takes the mutex.
//! Nothing is removed, so a handle that keeps a series never loses it.

use std::{
    borrow::Cow,
    hash::Hasher,
    sync::{Arc, PoisonError},
};

use rapidhash::fast::RapidHasher;

use super::{
    cell::Maker,
    sanitize,
    series::{HomeRef, Series},
    sorted::Sorted,
};
use crate::{
    schema::{family::LabelDef, limits::OTHER},
    support::{
        failpoint,
        panics::whole_after_a_panic,
        sync::{
            Mutex, MutexGuard, OnceLock,
            atomic::{
                AtomicBool, AtomicU64, AtomicUsize,
                Ordering::{Acquire, Relaxed, Release},
            },
        },
    },
};

/// Slots of the first level.
const FIRST: usize = 16;
/// Enough levels for 16 × 4¹¹ slots.
const LEVELS: usize = 12;

type Level<T> = Box<[OnceLock<Arc<Series<T>>>]>;

/// Series by their label values. Removal is the business of a [`TextFamily`](super::text_family::TextFamily).
#[derive(Debug)]
pub(crate) struct TextTable<T> {
    labels: &'static [LabelDef],
    pub(crate) cap: usize,
    home: Option<HomeRef<T>>,
    levels: [OnceLock<Level<T>>; LEVELS],
    highest: AtomicUsize,
    count: Mutex<Count<T>>,
    full: AtomicBool,
    overflow: OnceLock<Arc<Series<T>>>,
    /// Makes the value of a new series.
    maker: Maker<T>,
    /// The series of the last exposition, sorted by their text. Locked before `count`.
    sorted: Mutex<Sorted<T>>,
    /// How many look-ups ended at the overflow series.
    pub(crate) overflowed: AtomicU64,
}

whole_after_a_panic!(TextTable<T>);

#[derive(Debug)]
struct Count<T> {
    total: usize,
    in_level: usize,
    /// Series that were added since the last sort.
    fresh: Vec<Arc<Series<T>>>,
    /// No series is added any more, not even the overflow series.
    closed: bool,
}

impl<T> TextTable<T> {
    #[cfg(test)]
    pub(crate) fn new(labels: &'static [LabelDef], cap: usize) -> Self
    where
        T: Default,
    {
        Self::of(labels, cap, Maker::default(), None)
    }

    /// A table in a family (`home`) that can remove series.
    pub(crate) fn of(labels: &'static [LabelDef], cap: usize, maker: Maker<T>, home: Option<HomeRef<T>>) -> Self {
        Self {
            labels,
            cap,
            maker,
            home,
            levels: std::array::from_fn(|_| OnceLock::default()),
            highest: AtomicUsize::new(0),
            count: Mutex::new(Count { total: 0, in_level: 0, fresh: Vec::new(), closed: false }),
            full: AtomicBool::new(cap == 0),
            overflow: OnceLock::default(),
            sorted: Mutex::default(),
            overflowed: AtomicU64::new(0),
        }
    }

    /// The series with these label values, in the order of the family's labels. A new one is added; at the cap it is the
    /// overflow series.
    #[cfg(test)]
    pub(crate) fn get<V: AsRef<str>>(&self, values: &[V]) -> &Arc<Series<T>> {
        self.own_or_new(values).unwrap_or_else(|| self.overflow_of_any())
    }

    /// The series with these label values. A new one is added; nothing at the cap.
    #[inline]
    pub(crate) fn own_or_new<V: AsRef<str>>(&self, values: &[V]) -> Option<&Arc<Series<T>>> {
        self.find(hash(values), values).or_else(|| self.own_slow(&values.iter().map(AsRef::as_ref).collect::<Vec<_>>()))
    }

    #[cold]
    fn own_slow(&self, values: &[&str]) -> Option<&Arc<Series<T>>> {
        failpoint::point("table");
        let clean: Vec<Cow<'_, str>> = values.iter().map(|value| sanitize::clean_value(value)).collect();
        let hash = hash(&clean);
        if clean.iter().any(|value| matches!(value, Cow::Owned(_)))
            && let Some(series) = self.find(hash, &clean)
        {
            return Some(series);
        }
        if self.full.load(Acquire) {
            // Acquire: whatever was inserted before the table was full is visible to this last look.
            return self.find(hash, &clean);
        }
        let series = self.new_series(hash, &clean);
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = self.find(hash, &clean) {
            return Some(series);
        }
        if self.full.load(Relaxed) {
            return None;
        }
        let mut level = self.highest.load(Relaxed);
        if count.in_level >= size(level) / 2 && level < LEVELS.saturating_sub(1) {
            level = level.wrapping_add(1);
            count.in_level = 0;
        }
        // There is such a level, and it is never full: an empty slot ends this loop.
        let slots = self.levels.get(level)?;
        let slots = slots.get_or_init(|| (0..size(level)).map(|_| OnceLock::default()).collect());
        self.highest.store(level, Release);
        count.in_level = count.in_level.wrapping_add(1);
        count.total = count.total.wrapping_add(1);
        let mask = slots.len().wrapping_sub(1);
        let mut at = hash as usize;
        while let Some(slot) = slots.get(at & mask) {
            // Only this thread holds the mutex, so an empty slot stays empty until it is set here.
            if slot.get().is_none() {
                let series = slot.get_or_init(|| series);
                count.fresh.push(series.clone());
                if count.total >= self.cap {
                    self.full.store(true, Release);
                }
                return Some(series);
            }
            at = at.wrapping_add(1);
        }
        None
    }

    /// A new series, in no table yet.
    pub(crate) fn new_series<V: AsRef<str>>(&self, hash: u64, values: &[V]) -> Arc<Series<T>> {
        let values: Box<[Box<str>]> = values.iter().map(|value| Box::from(value.as_ref())).collect();
        let label_text = self.label_text(&values);
        Arc::new(Series::new(hash, values, label_text, self.maker.make(), self.home.clone()))
    }

    fn label_text(&self, values: &[Box<str>]) -> Box<str> {
        sanitize::label_text(self.labels.iter().map(|label| label.name).zip(values.iter().map(AsRef::as_ref)))
    }

    #[inline]
    fn find<V: AsRef<str>>(&self, hash: u64, values: &[V]) -> Option<&Arc<Series<T>>> {
        for level in (0..=self.highest.load(Acquire)).rev() {
            let Some(slots) = self.levels.get(level).and_then(OnceLock::get) else { continue };
            let mut at = hash as usize;
            // An index, because `get` takes up to six instructions more.
            #[expect(
                clippy::arithmetic_side_effects,
                clippy::indexing_slicing,
                reason = "a level is never empty: its length is a power of two, and masked with one less, all is inside"
            )]
            while let Some(series) = slots[at & (slots.len() - 1)].get() {
                if series.has(hash, values) {
                    return Some(series);
                }
                at = at.wrapping_add(1);
            }
        }
        None
    }

    /// The overflow series, if it exists and is not one of the table's own.
    pub(crate) fn overflow(&self) -> Option<&Arc<Series<T>>> {
        let own = self.find(hash(&self.other()), &self.other());
        self.overflow.get().filter(|series| own.is_none_or(|own| !Arc::ptr_eq(own, series)))
    }

    /// The label values of the overflow series.
    pub(crate) fn other(&self) -> Vec<&'static str> {
        vec![OTHER; self.labels.len()]
    }

    /// The overflow series, made at the first call; nothing when the table is closed. Counts the look-up.
    pub(crate) fn overflow_or_new(&self) -> Option<&Arc<Series<T>>> {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        (!count.closed).then(|| self.overflow_of_any())
    }

    /// The same, whether or not the table is closed.
    fn overflow_of_any(&self) -> &Arc<Series<T>> {
        self.overflowed.fetch_add(1, Relaxed);
        self.overflow.get_or_init(|| {
            let other = self.other();
            let hash = hash(&other);
            // If the application has a series with the value `other`, it is that one: no series is exported twice.
            self.find(hash, &other).cloned().unwrap_or_else(|| self.new_series(hash, &other))
        })
    }

    /// The series with these label values, if it is there. Takes no lock and does not allocate.
    #[inline]
    pub(crate) fn peek<V: AsRef<str>>(&self, values: &[V]) -> Option<&Arc<Series<T>>> {
        self.find(hash(values), values)
    }

    /// Whether no series is added any more. Acquire: a search after this sees every series that was added before.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Acquire)
    }

    /// The overflow series, if it exists.
    pub(crate) fn known_overflow(&self) -> Option<&Arc<Series<T>>> {
        self.overflow.get()
    }

    /// Closes the table: no series is added any more. Before that, `run` gets all series and the overflow series.
    pub(crate) fn close(&self, run: impl FnOnce(&mut dyn Iterator<Item = &Arc<Series<T>>>, Option<&Arc<Series<T>>>)) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if !count.closed {
            run(&mut self.own(), self.overflow());
            count.closed = true;
            count.fresh = Vec::new();
            self.full.store(true, Release);
        }
    }

    /// The series as they were sorted for the last exposition.
    pub(crate) fn last_sorted(&self) -> MutexGuard<'_, Sorted<T>> {
        self.sorted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All series but the overflow series, sorted by their text. The order is kept between calls and new series are merged
    /// into it, because sorting a large table costs more than printing it.
    pub(crate) fn sorted(&self) -> MutexGuard<'_, Sorted<T>> {
        let mut sorted = self.last_sorted();
        let fresh = std::mem::take(&mut self.count.lock().unwrap_or_else(PoisonError::into_inner).fresh);
        if !fresh.is_empty() {
            sorted.add(fresh);
        }
        sorted
    }

    /// All series but the overflow series, unsorted.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Arc<Series<T>>> {
        let levels = self.levels.iter().filter_map(OnceLock::get);
        levels.flat_map(|slots| slots.iter().filter_map(OnceLock::get))
    }

    /// All series, unsorted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Series<T>>> {
        self.own().chain(self.overflow())
    }
}

const fn size(level: usize) -> usize {
    // The highest level does not wrap.
    FIRST.wrapping_shl((level as u32).wrapping_mul(2))
}

/// A hash of the values and of where each ends. It needs no seed: a client that collides on purpose is stopped by the cap.
#[inline]
pub(crate) fn hash<V: AsRef<str>>(values: &[V]) -> u64 {
    let mut hasher = RapidHasher::default();
    for value in values {
        hasher.write(value.as_ref().as_bytes());
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    static LABELS: [LabelDef; 2] = [LabelDef::text("b"), LabelDef::text("a")];

    #[test]
    fn equal_values_are_one_series_and_different_ones_are_not() {
        let table = TextTable::<AtomicU64>::new(&LABELS, 2_000);
        for i in 0..1_000u32 {
            for value in [i.to_string(), format!("{i}x")] {
                table.get(&[value.as_str(), "y"]).cell.fetch_add(1, Relaxed);
                table.get(&[value.as_str(), "y"]).cell.fetch_add(1, Relaxed);
            }
        }
        let texts: HashSet<_> = table.iter().map(|series| series.label_text.clone()).collect();
        assert_eq!(texts.len(), 2_000);
        assert!(table.iter().all(|series| series.cell.load(Relaxed) == 2));
        assert!(texts.contains(r#"a="y",b="999x""#), "labels are sorted by name");
    }

    #[test]
    fn where_a_value_ends_matters() {
        let table = TextTable::<AtomicU64>::new(&LABELS, 10);
        let first = Arc::as_ptr(table.get(&["ab", "c"]));
        assert_ne!(first, Arc::as_ptr(table.get(&["a", "bc"])));
    }

    #[test]
    fn what_comes_after_the_cap_folds_into_one_series_and_what_was_there_stays_its_own() {
        let table = TextTable::<AtomicU64>::new(&LABELS, 3);
        for i in 0..100u32 {
            table.get(&[i.to_string().as_str(), "y"]).cell.fetch_add(1, Relaxed);
        }
        table.get(&["1", "y"]).cell.fetch_add(1, Relaxed);
        let mut seen: Vec<_> = table.iter().map(|s| (s.label_text.to_string(), s.cell.load(Relaxed))).collect();
        seen.sort();
        let row = |text: &str, value| (text.to_owned(), value);
        assert_eq!(
            seen,
            [
                row(r#"a="other",b="other""#, 97),
                row(r#"a="y",b="0""#, 1),
                row(r#"a="y",b="1""#, 2),
                row(r#"a="y",b="2""#, 1)
            ]
        );
        assert_eq!(table.overflowed.load(Relaxed), 97);
    }

    #[test]
    fn threads_that_race_to_the_cap_never_make_one_series_more() {
        for _ in 0..if cfg!(miri) { 5 } else { 10_000 } {
            let table = TextTable::<AtomicU64>::new(&LABELS, 1);
            let barrier = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                for value in ["first", "second"] {
                    let (table, barrier) = (&table, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        table.get(&[value, "y"]).cell.fetch_add(1, Relaxed);
                    });
                }
            });
            assert_eq!(table.own().count(), 1);
            assert_eq!(table.iter().map(|series| series.cell.load(Relaxed)).sum::<u64>(), 2);
        }
    }
}
