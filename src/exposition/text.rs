//! The Prometheus text format, version 0.0.4.

use metrics_exporter_prometheus::formatting;

use super::{
    Format,
    encoder::{Encoder, Histogram, Metric, MetricType, NO_HELP, Summary},
    lines::{Lines, NO_LABEL},
    render::{self},
};
use crate::storage::{sanitize, store::Store};

/// Everything that a scrape shows.
pub(crate) fn render(store: &Store) -> String {
    let new = |bytes, _: &[_]| TextEncoder(Lines::with_capacity(bytes));
    render::render(store, Format::Text, new, |encoder| encoder.0.out)
}

struct TextEncoder(Lines);

impl Encoder for TextEncoder {
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType) {
        let Lines { name: current, out } = &mut self.0;
        let help = sanitize::clean_help(help.unwrap_or(NO_HELP));
        formatting::write_help_line(out, name, None, None, &sanitize::double_backslashes(&help));
        formatting::write_type_line(out, name, None, None, kind.as_str());
        name.clone_into(current);
    }

    fn count(&mut self, metric: Metric<'_>, value: u64) {
        self.0.count("", metric.labels, NO_LABEL, value);
    }

    fn number(&mut self, metric: Metric<'_>, value: f64) {
        self.0.number("", metric.labels, NO_LABEL, value);
    }

    fn histogram(&mut self, metric: Metric<'_>, histogram: &Histogram<'_>) {
        for (bound, count) in histogram.bounds.iter().zip(histogram.counts) {
            self.0.count("_bucket", metric.labels, ("le", bound), *count);
        }
        self.0.number("_sum", metric.labels, NO_LABEL, histogram.sum);
        self.0.count("_count", metric.labels, NO_LABEL, histogram.count());
    }

    fn summary(&mut self, metric: Metric<'_>, summary: &Summary<'_>) {
        for (quantile, value) in summary.quantiles {
            self.0.number("", metric.labels, ("quantile", &quantile.to_string()), *value);
        }
        self.0.number("_sum", metric.labels, NO_LABEL, summary.sum);
        self.0.count("_count", metric.labels, NO_LABEL, summary.count);
    }
}
