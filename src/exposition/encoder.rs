//! The interface between the values and the formats: one [`Encoder`] for each format.

use crate::storage::native::NativeCounts;

/// Writes families in one format. Families come sorted by name, each once; metrics sorted by their labels.
pub(crate) trait Encoder {
    /// A family begins, and its metrics follow. A family without metrics does not begin.
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType);
    /// A counter that is a whole number.
    fn count(&mut self, metric: Metric<'_>, value: u64);
    /// A gauge, or a counter that is not a whole number.
    fn number(&mut self, metric: Metric<'_>, value: f64);
    fn histogram(&mut self, metric: Metric<'_>, histogram: &Histogram<'_>);
    /// Whether histograms are written as native ones too.
    fn has_native(&self) -> bool {
        false
    }
    fn summary(&mut self, metric: Metric<'_>, summary: &Summary<'_>);
}

/// One metric of a family, as the formats use the word: a set of labels, with one or more samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric<'a> {
    /// `a="x",b="y"`: sorted by name and escaped as the text formats have it.
    pub(crate) labels: &'a str,
    /// When it began to count from 0, in milliseconds since 1970; 0 if that is not known.
    pub(crate) created: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricType {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl MetricType {
    /// As the text formats write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// The samples of one metric of a histogram.
#[derive(Debug)]
pub(crate) struct Histogram<'a> {
    /// The upper bounds, `+Inf` left out. The same in all metrics of a family.
    pub(crate) upper: &'a [f64],
    /// The bounds as text 0.0.4 has them in the label `le`, `+Inf` last.
    pub(crate) bounds: &'a [Box<str>],
    /// The cumulative count of each; the last one is the count of all.
    pub(crate) counts: &'a [u64],
    /// The same samples in the buckets of a native histogram; empty unless [`Encoder::has_native`].
    pub(crate) native: &'a NativeCounts,
    pub(crate) sum: f64,
}

impl Histogram<'_> {
    pub(crate) fn count(&self) -> u64 {
        self.counts.last().copied().unwrap_or_default()
    }
}

/// The samples of one metric of a summary.
#[derive(Debug)]
pub(crate) struct Summary<'a> {
    /// Values of the label `quantile`, and what they are.
    pub(crate) quantiles: &'a [(f64, f64)],
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

/// The help of a name without a description: `promtool` reports families without help.
pub(crate) const NO_HELP: &str = "Not described";
