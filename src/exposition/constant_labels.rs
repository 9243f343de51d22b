//! Puts the labels of the configuration on every series, in every format.

use std::collections::{BTreeMap, BTreeSet};

use super::encoder::{Encoder, Histogram, Metric, MetricType, Summary};
use crate::storage::{
    sanitize::{label_pairs, label_text},
    store::Store,
};

/// Adds the constant labels to every series and passes it on to another encoder. A series that has such a label itself keeps its own.
pub(super) struct WithConstantLabels<'a, E> {
    pub(super) encoder: &'a mut E,
    constant: &'a BTreeMap<String, String>,
    /// The constant labels as text, for series without labels of their own.
    alone: Box<str>,
    family: String,
    /// The families that have such a label themselves, each with the label.
    hidden: BTreeSet<(String, String)>,
}

impl<'a, E: Encoder> WithConstantLabels<'a, E> {
    pub(super) fn new(encoder: &'a mut E, constant: &'a BTreeMap<String, String>) -> Self {
        let alone = label_text(constant.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Self { encoder, constant, alone, family: String::new(), hidden: BTreeSet::new() }
    }

    /// Logs which constant labels were hidden by labels of the same name.
    pub(super) fn report(self, store: &Store) {
        for (family, label) in &self.hidden {
            store.diagnostics.constant_label_hidden(family, label);
        }
    }

    fn merged(&mut self, labels: &str) -> Box<str> {
        if labels.is_empty() {
            return self.alone.clone();
        }
        // Never `None`: this crate writes the label texts.
        let Some((own, _)) = label_pairs(labels) else { return labels.into() };
        let mut all: Vec<(&str, &str)> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for (name, value) in self.constant {
            if all.iter().any(|(known, _)| known == name) {
                self.hidden.insert((self.family.clone(), name.clone()));
            } else {
                all.push((name, value));
            }
        }
        label_text(all.into_iter())
    }
}

impl<E: Encoder> Encoder for WithConstantLabels<'_, E> {
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType) {
        name.clone_into(&mut self.family);
        self.encoder.family(name, help, kind);
    }

    fn count(&mut self, metric: Metric<'_>, value: u64) {
        let labels = self.merged(metric.labels);
        self.encoder.count(Metric { labels: &labels, ..metric }, value);
    }

    fn number(&mut self, metric: Metric<'_>, value: f64) {
        let labels = self.merged(metric.labels);
        self.encoder.number(Metric { labels: &labels, ..metric }, value);
    }

    fn histogram(&mut self, metric: Metric<'_>, histogram: &Histogram<'_>) {
        let labels = self.merged(metric.labels);
        self.encoder.histogram(Metric { labels: &labels, ..metric }, histogram);
    }

    fn has_native(&self) -> bool {
        self.encoder.has_native()
    }

    fn summary(&mut self, metric: Metric<'_>, summary: &Summary<'_>) {
        let labels = self.merged(metric.labels);
        self.encoder.summary(Metric { labels: &labels, ..metric }, summary);
    }
}
