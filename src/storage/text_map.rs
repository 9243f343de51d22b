//! A map from a text to a value. It only grows, up to a cap, and is read without a lock.

use std::sync::Arc;

use super::{cell::Maker, sanitize, series::Series, text_table::TextTable};
use crate::schema::{
    family::{LabelDef, Text},
    limits::SERIES_CAP,
};

static TEXT: [LabelDef; 1] = [LabelDef::of::<Text>("text")];

/// A map from texts to values. Texts are cut as label values are.
#[derive(Debug)]
pub(crate) struct TextMap<V>(TextTable<V>);

/// A value of the map, to be kept.
pub(crate) type Entry<V> = Arc<Series<V>>;

impl<V: Default> TextMap<V> {
    /// With room for as many texts as a family of a store has series.
    pub(crate) fn new(cap: Option<usize>) -> Self {
        Self(TextTable::of(&TEXT, cap.unwrap_or(SERIES_CAP).max(SERIES_CAP), Maker::default(), None))
    }

    /// The value of a text. A text that would be cut has none.
    #[inline]
    pub(crate) fn get(&self, text: &str) -> Option<&V> {
        if sanitize::truncate(text).len() == text.len() { self.0.peek(&[text]).map(|entry| &entry.cell) } else { None }
    }

    /// The value of a text, made on first sight; nothing at the cap.
    pub(crate) fn get_or_insert(&self, text: &str) -> Option<&Entry<V>> {
        self.0.own_or_new(&[sanitize::truncate(text)])
    }

    /// All values, in no order.
    #[cfg(feature = "http-poem")]
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.own().map(|entry| &entry.cell)
    }
}
