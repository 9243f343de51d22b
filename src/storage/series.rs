//! One series of a table: its labels and its value.

use std::{
    sync::{Arc, Weak},
    time::{SystemTime, UNIX_EPOCH},
};

use super::cell::{Apply, Cell};
use crate::support::{
    panics::whole_after_a_panic,
    reentrancy::slow,
    sync::atomic::{
        AtomicBool,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// One series: its label values and the value.
#[derive(Debug)]
pub struct Series<T> {
    /// Half of the hash: enough to tell series apart before their values are compared.
    hash: u32,
    values: Box<[Box<str>]>,
    /// `a="x",b="y"`, sorted by label name and escaped.
    pub(crate) label_text: Box<str>,
    pub(crate) cell: T,
    /// Whether the series was removed. Then `cell` is not read any more.
    removed: AtomicBool,
    /// When it began: see [`counts_since`].
    pub(crate) created: u64,
    /// The family. After a removal, a handle finds the new series of these labels there.
    home: Option<HomeRef<T>>,
}

whole_after_a_panic!(Series<T>);

/// How a series refers to its family. The outer pointer is thin, which saves as much memory as `created` takes.
pub(crate) type HomeRef<T> = Arc<Weak<dyn Home<T>>>;

/// How much earlier a series says that it began, in milliseconds. Prometheus dates a scrape by its own clock, before it asks. If a series
/// is made between that and the answer, it must not say that it began after the sample: Prometheus would put a 0 behind the sample and
/// count it twice. A moment ago the count was 0 too, so an earlier time is also right.
const MOMENT: u64 = 250;

/// The time since when a series that is made now counts, in milliseconds since 1970 by the wall clock.
pub(crate) fn counts_since() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    now.saturating_sub(MOMENT)
}

/// What a removed series needs of its family.
pub(crate) trait Home<T>: Send + Sync {
    /// The series with the labels of a removed one. A new one is added; nothing for a gauge over the cap.
    fn anew(&self, removed: &Series<T>) -> Option<Arc<Series<T>>>;
}

impl<T> Series<T> {
    /// A series that is found by its label values.
    pub(crate) fn new(
        hash: u64,
        values: Box<[Box<str>]>,
        label_text: Box<str>,
        cell: T,
        home: Option<HomeRef<T>>,
    ) -> Self {
        Self {
            hash: hash as u32,
            values,
            label_text,
            cell,
            removed: AtomicBool::new(false),
            created: counts_since(),
            home,
        }
    }

    /// A series that is found by its text alone.
    pub(crate) fn of_text(label_text: Box<str>, cell: T, home: HomeRef<T>) -> Self {
        Self::new(0, Box::default(), label_text, cell, Some(home))
    }

    fn home(&self) -> Option<Arc<dyn Home<T>>> {
        self.home.as_ref()?.upgrade()
    }

    /// All its label values.
    pub(crate) fn values(&self) -> &[Box<str>] {
        &self.values
    }

    /// Whether these are its label values.
    #[inline]
    pub(crate) fn has<V: AsRef<str>>(&self, hash: u64, values: &[V]) -> bool {
        self.hash == hash as u32
            && self.values.len() == values.len()
            && self.values.iter().zip(values).all(|(a, b)| **a == *b.as_ref())
    }

    /// Relaxed: a record that does not see the removal yet counts as before it.
    #[inline]
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Relaxed)
    }

    /// Marks the series. The caller holds the lock of the family and takes the series out of it.
    pub(crate) fn set_removed(&self) {
        self.removed.store(true, Release);
    }

    /// Takes a change for a removed series, which begins again at 0. For `extern "C"` see
    /// [`catch_panic`](crate::support::panics::catch_panic).
    #[cold]
    #[inline(never)]
    pub(crate) extern "C" fn apply_anew<C: Cell>(&self, op: C::Op)
    where
        Self: Apply<C>,
    {
        slow(|| {
            // Acquire: the search below must see the removal, or it would find this same series.
            if !self.removed.load(Acquire) {
                return;
            }
            let home = self.home();
            if let Some(series) = home.and_then(|home| home.anew(self)) {
                series.apply(op);
            }
        });
    }
}

impl<C: Cell> Series<C> {
    /// The new series in place of a removed one; nothing for a gauge over the cap.
    pub(crate) fn successor(&self) -> Option<Arc<Self>> {
        // As in `apply_anew`.
        let _ = self.removed.load(Acquire);
        self.home()?.anew(self)
    }
}

impl<C: Cell> Apply<C> for Series<C> {
    #[inline]
    fn apply(&self, op: C::Op) {
        if self.is_removed() {
            self.apply_anew(op);
        } else {
            self.cell.apply(op);
        }
    }
}

#[cfg(all(test, target_pointer_width = "64", not(models)))]
mod tests {
    use super::*;
    use crate::storage::counter::CounterCell;

    /// With the header of its `Arc`, one of a counter takes 88 bytes: eight more would take sixteen of the allocator.
    #[test]
    fn the_time_makes_a_series_no_larger() {
        assert!(size_of::<Series<CounterCell>>() <= 72, "{}", size_of::<Series<CounterCell>>());
    }
}
