//! A declared family in one store: its series, in a dense table or a table of texts.

use std::sync::Arc;

use metrics::{Key, Label};

use super::{
    bridge::Bridge,
    cell::Cell,
    dense::DenseTable,
    diagnostics::Diagnostics,
    resolved::Resolved,
    text_family::{Place, TextFamily},
};
use crate::{
    schema::{family::FamilyDef, limits::OTHER},
    support::failpoint,
};

#[derive(Debug)]
pub struct DeclaredFamily<C: Cell> {
    pub(crate) def: &'static FamilyDef,
    pub(crate) table: Table<C>,
}

/// The series of a family.
#[derive(Debug)]
pub(crate) enum Table<C: Cell> {
    /// All labels are closed sets.
    Dense(DenseTable<C>),
    /// A label is free text.
    Text(Arc<TextFamily<C>>),
}

impl<C: Bridge> DeclaredFamily<C> {
    pub(crate) fn new(def: &'static FamilyDef, cap: usize) -> Self {
        let text = || Table::Text(TextFamily::new(def.labels, cap, C::maker(def)));
        Self { def, table: DenseTable::new(def).map_or_else(text, Table::Dense) }
    }

    /// The labels by place whose values are outside their closed sets, and the values with `other` in these places.
    fn folded<'a>(&self, values: &[&'a str]) -> (Vec<usize>, Vec<&'a str>) {
        let invalid = self.def.invalid_labels(values);
        let places = values.iter().enumerate();
        let values = places.map(|(place, value)| if invalid.contains(&place) { OTHER } else { *value }).collect();
        (invalid, values)
    }

    /// The series of these label values, which come in the order of the declaration. Without `diagnostics` nothing is logged, and
    /// nothing is folded into the overflow series: there is no result for values outside a closed set or over the cap.
    pub(crate) fn series(&self, values: &[&str], diagnostics: Option<&Diagnostics>) -> Resolved<C> {
        failpoint::point("series");
        let (invalid, values) = self.folded(values);
        if let Some(&first) = invalid.first() {
            let Some(diagnostics) = diagnostics else { return Resolved::Nothing };
            let label = self.def.labels.get(first).map_or("", |label| label.name);
            diagnostics.rejected(self.def.name, label, invalid.len());
            if !C::KIND.adds_up() {
                return Resolved::Nothing;
            }
        }
        match &self.table {
            Table::Dense(dense) => Resolved::Dense(dense.series(self.def, &values)),
            Table::Text(text) => {
                let place = text.own(&values).or_else(|| {
                    diagnostics?.overflowed(self.def.name, text.cap());
                    Some(text.over(&values))
                });
                place.map(Place::series).map_or(Resolved::Nothing, Resolved::Series)
            }
        }
    }

    /// The same for a key: labels are matched by name, whatever their order. Of two of one name the last one counts, as in
    /// an undeclared family.
    pub(crate) fn series_of_key(&self, key: &Key, diagnostics: Option<&Diagnostics>) -> Resolved<C> {
        let given = |name: &str| key.labels().rfind(|label| label.key() == name);
        let values: Vec<_> = self.def.labels.iter().map(|label| given(label.name)).collect();
        let is_used = |label: &&Label| values.iter().flatten().any(|used| std::ptr::eq(*used, *label));
        let dropped: Vec<&Label> = key.labels().filter(|label| !is_used(label)).collect();
        if let Some((first, diagnostics)) = dropped.first().zip(diagnostics) {
            diagnostics.rejected(self.def.name, first.key(), dropped.len());
        }
        let values: Vec<&str> = values.into_iter().map(|label| label.map_or("", Label::value)).collect();
        self.series(&values, diagnostics)
    }

    /// Removes the series of these label values, or all; says how many of their samples were dropped.
    pub(crate) fn remove(&self, values: Option<&[&str]>) -> u64 {
        let values = values.map(|values| self.folded(values).1);
        match (&self.table, values.as_deref()) {
            (Table::Dense(dense), values) => dense.remove(self.def, values),
            (Table::Text(text), Some(values)) => text.remove(values),
            (Table::Text(text), None) => text.clear(),
        }
    }
}

impl<C: Cell> DeclaredFamily<C> {
    /// As [`Cell::take_dropped`], of all series.
    pub(crate) fn take_dropped(&self) -> u64 {
        match &self.table {
            Table::Dense(dense) => dense.take_dropped(),
            Table::Text(text) => text.take_dropped(),
        }
    }

    /// How many look-ups were over the cap.
    pub(crate) fn overflowed(&self) -> u64 {
        match &self.table {
            Table::Dense(_) => 0,
            Table::Text(text) => text.overflowed(),
        }
    }

    /// Shows label texts, when each series began, and values, sorted by text.
    pub(crate) fn for_each(&self, mut show: impl FnMut(&str, u64, &C)) {
        match &self.table {
            Table::Dense(dense) => dense.for_each(show),
            Table::Text(text) => {
                let (sorted, overflow) = text.sorted();
                let mut overflow = overflow.map(Arc::as_ref);
                for (labels, series) in sorted.iter() {
                    if let Some(other) = overflow.take_if(|other| *other.label_text < *labels) {
                        show(&other.label_text, other.created, &other.cell);
                    }
                    show(labels, series.created, &series.cell);
                }
                if let Some(other) = overflow {
                    show(&other.label_text, other.created, &other.cell);
                }
            }
        }
    }
}
