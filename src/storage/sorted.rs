//! Series in the order in which a scrape shows them.

use std::sync::Arc;

use super::series::Series;

/// Series in the order of their label texts.
#[derive(Debug)]
pub(crate) struct Sorted<T> {
    series: Vec<Arc<Series<T>>>,
    /// Their label texts in one buffer, and where each ends: a scrape reads them in this order, from memory that lies together.
    texts: String,
    ends: Vec<usize>,
    /// The version of the family that this order is of; 0 until its first removal.
    pub(crate) version: u64,
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { series: Vec::new(), texts: String::new(), ends: Vec::new(), version: 0 }
    }
}

impl<T> Sorted<T> {
    pub(crate) fn add(&mut self, mut fresh: Vec<Arc<Series<T>>>) {
        let by_text = |a: &Arc<Series<T>>, b: &Arc<Series<T>>| a.label_text.cmp(&b.label_text);
        fresh.sort_unstable_by(by_text);
        self.series.append(&mut fresh);
        // Two sorted runs, which the stable sort finds and merges.
        self.series.sort_by(by_text);
        self.texts.clear();
        self.ends.clear();
        for series in &self.series {
            self.texts.push_str(&series.label_text);
            self.ends.push(self.texts.len());
        }
    }

    /// Other series in place of these.
    pub(crate) fn replace(&mut self, series: Vec<Arc<Series<T>>>, version: u64) {
        self.series.clear();
        self.add(series);
        self.version = version;
    }

    /// Label texts and series.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Series<T>)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let texts = starts.zip(&self.ends).map(|(start, &end)| self.texts.get(start..end).unwrap_or_default());
        texts.zip(self.series.iter().map(Arc::as_ref))
    }
}
