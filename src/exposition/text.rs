//! The Prometheus text format, version 0.0.4.

use std::{fmt::Write, sync::atomic::Ordering::Relaxed};

use metrics_exporter_prometheus::formatting;

use super::{
    constant_labels::WithConstantLabels,
    encoder::{Encoder, Histogram, MetricType, Summary},
    walk::walk,
};
use crate::{
    storage::{sanitize, store::Store},
    support::failpoint,
};

/// Everything that a scrape shows.
pub(crate) fn render(store: &Store) -> String {
    failpoint::point("render");
    let readings = store.collect();
    // As much as last time, and a little for what is new.
    let expected = store.last_size.load(Relaxed);
    let out = String::with_capacity(expected.saturating_add(expected / 16));
    let mut encoder = TextEncoder { name: String::new(), out };
    let constant = store.constant_labels();
    if constant.is_empty() {
        walk(store, readings, |_| true, &mut encoder);
    } else {
        let mut labelled = WithConstantLabels::new(&mut encoder, &constant);
        walk(store, readings, |_| true, &mut labelled);
        labelled.report(store);
    }
    store.last_size.store(encoder.out.len(), Relaxed);
    encoder.out
}

struct TextEncoder {
    /// Of the family whose series follow.
    name: String,
    out: String,
}

/// The help of a name that nobody described: without any, `promtool` finds fault with the text.
const NO_HELP: &str = "Not described";
/// No label but those of the series.
const NO_LABEL: (&str, &str) = ("", "");

impl TextEncoder {
    /// `name_suffix{labels,extra="…"} `
    fn line(&mut self, suffix: &str, labels: &str, (extra, value): (&str, &str)) {
        let out = &mut self.out;
        out.push_str(&self.name);
        out.push_str(suffix);
        if !labels.is_empty() || !extra.is_empty() {
            out.push('{');
            out.push_str(labels);
            if !extra.is_empty() {
                if !labels.is_empty() {
                    out.push(',');
                }
                out.push_str(extra);
                out.push_str("=\"");
                out.push_str(value);
                out.push('"');
            }
            out.push('}');
        }
        out.push(' ');
    }

    fn count_line(&mut self, suffix: &str, labels: &str, extra: (&str, &str), value: u64) {
        self.line(suffix, labels, extra);
        let _ = writeln!(self.out, "{value}");
    }

    fn number_line(&mut self, suffix: &str, labels: &str, extra: (&str, &str), value: f64) {
        self.line(suffix, labels, extra);
        let _ = if value.is_infinite() {
            writeln!(self.out, "{}Inf", if value > 0.0 { '+' } else { '-' })
        } else {
            writeln!(self.out, "{value}")
        };
    }
}

impl Encoder for TextEncoder {
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType) {
        let help = sanitize::clean_help(help.unwrap_or(NO_HELP));
        formatting::write_help_line(&mut self.out, name, None, None, &help);
        formatting::write_type_line(&mut self.out, name, None, None, kind.as_str());
        name.clone_into(&mut self.name);
    }

    fn count(&mut self, labels: &str, value: u64) {
        self.count_line("", labels, NO_LABEL, value);
    }

    fn number(&mut self, labels: &str, value: f64) {
        self.number_line("", labels, NO_LABEL, value);
    }

    fn histogram(&mut self, labels: &str, histogram: &Histogram<'_>) {
        for (bound, count) in histogram.bounds.iter().zip(histogram.counts) {
            self.count_line("_bucket", labels, ("le", bound), *count);
        }
        self.number_line("_sum", labels, NO_LABEL, histogram.sum);
        self.count_line("_count", labels, NO_LABEL, histogram.count());
    }

    fn summary(&mut self, labels: &str, summary: &Summary<'_>) {
        for (quantile, value) in summary.quantiles {
            self.number_line("", labels, ("quantile", quantile), *value);
        }
        self.number_line("_sum", labels, NO_LABEL, summary.sum);
        self.count_line("_count", labels, NO_LABEL, summary.count);
    }
}
