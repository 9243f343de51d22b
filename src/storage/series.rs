//! One series of a table: its labels and its value.

use std::sync::{Arc, Weak};

use super::cell::{Apply, Cell};
use crate::support::{
    reentrancy::slow,
    sync::atomic::{
        AtomicBool,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// One series: its label values and the value.
#[derive(Debug)]
pub struct Series<T> {
    /// Half of it: enough to tell series apart before their values are compared.
    hash: u32,
    values: Box<[Box<str>]>,
    /// `a="x",b="y"`, sorted by label name and escaped.
    pub(crate) label_text: Box<str>,
    pub(crate) cell: T,
    /// Whether the series was removed. Then `cell` is not read any more.
    removed: AtomicBool,
    /// The family, where a handle that outlives its series finds it again.
    home: Option<Weak<dyn Home<T>>>,
}

/// A family, as its removed series see it.
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
        home: Option<Weak<dyn Home<T>>>,
    ) -> Self {
        Self { hash: hash as u32, values, label_text, cell, removed: AtomicBool::new(false), home }
    }

    /// A series that is found by its text alone.
    pub(crate) fn of_text(label_text: Box<str>, cell: T, home: Weak<dyn Home<T>>) -> Self {
        Self::new(0, Box::default(), label_text, cell, Some(home))
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

    /// The caller holds the lock of the family and takes the series out of it.
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
            // Acquire: the search below must see the removal, or it would find this very series.
            if !self.removed.load(Acquire) {
                return;
            }
            let home = self.home.as_ref().and_then(Weak::upgrade);
            if let Some(series) = home.and_then(|home| home.anew(self)) {
                series.apply(op);
            }
        });
    }
}

impl<C: Cell> Series<C> {
    /// The series that a removed one begins anew as; nothing for a gauge over the cap.
    pub(crate) fn successor(&self) -> Option<Arc<Self>> {
        // As in `apply_anew`.
        let _ = self.removed.load(Acquire);
        self.home.as_ref().and_then(Weak::upgrade)?.anew(self)
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
