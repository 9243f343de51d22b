//! The seam between values and formats.

/// Writes families in one format. Families come sorted by name, each once; series sorted by their labels.
///
/// `labels` is `a="x",b="y"`: sorted by name and escaped as the text formats have it.
pub(crate) trait Encoder {
    /// A family begins, and its series follow. A family without series does not begin.
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType);
    /// A counter that is a whole number.
    fn count(&mut self, labels: &str, value: u64);
    /// A gauge, or a counter that is not a whole number.
    fn number(&mut self, labels: &str, value: f64);
    fn histogram(&mut self, labels: &str, histogram: &Histogram<'_>);
    fn summary(&mut self, labels: &str, summary: &Summary<'_>);
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

/// One series of a histogram.
#[derive(Debug)]
pub(crate) struct Histogram<'a> {
    /// The upper bounds as the values of the label `le`, `+Inf` last.
    pub(crate) bounds: &'a [Box<str>],
    /// The cumulative count of each; the last one is the count of all.
    pub(crate) counts: &'a [u64],
    pub(crate) sum: f64,
}

impl Histogram<'_> {
    pub(crate) fn count(&self) -> u64 {
        self.counts.last().copied().unwrap_or_default()
    }
}

/// One series of a summary.
#[derive(Debug)]
pub(crate) struct Summary<'a> {
    /// Values of the label `quantile`, and what they are.
    pub(crate) quantiles: &'a [(String, f64)],
    pub(crate) sum: f64,
    pub(crate) count: u64,
}
