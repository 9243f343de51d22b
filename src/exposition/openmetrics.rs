//! The OpenMetrics text format, version 1.0.0.
//!
//! Samples have the same names as in the other formats. In the lines that describe a counter its name has no `_total`: the format requires
//! that. A counter whose name has no `_total`, or whose name without it belongs to another family, gets the type `unknown`, as in Go's
//! `expfmt`.

use std::{collections::HashMap, fmt::Write};

use super::{
    Format,
    encoder::{Encoder, Histogram, Metric, MetricType, NO_HELP, Summary},
    lines::{Lines, NO_LABEL, series},
    render::{self},
};
use crate::{
    schema::{buckets::unit_of, family::Kind},
    storage::{collector::Reading, sanitize, store::Store},
};

/// Everything that a scrape shows.
pub(super) fn render(store: &Store) -> String {
    let new = |bytes, readings: &[Reading]| OpenMetricsEncoder {
        lines: Lines::with_capacity(bytes),
        names: Names::of(store, readings),
        has_created_lines: store.has_created_lines(),
        created: String::new(),
        le: Vec::new(),
    };
    let finish = |mut encoder: OpenMetricsEncoder| {
        encoder.lines.out.push_str("# EOF\n");
        encoder.lines.out
    };
    render::render(store, Format::OpenMetrics, new, finish)
}

/// All families with their kinds.
struct Names(HashMap<String, Kind>);

impl Names {
    fn of(store: &Store, readings: &[Reading]) -> Self {
        let read =
            |reading: &Reading| (reading.name.to_owned(), if reading.is_counter { Kind::Counter } else { Kind::Gauge });
        let owned = store.owners().into_iter().map(|(name, owner)| (name, owner.kind()));
        Self(readings.iter().map(read).chain(owned).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn is(&self, name: &str, kind: Kind) -> bool {
        self.0.get(name) == Some(&kind)
    }

    /// Whether a counter can have this name, which is its own without `_total`. In this format a family also owns its name with the
    /// suffixes of its samples.
    fn is_free(&self, base: &str) -> bool {
        const PARTS: [&str; 4] = ["_bucket", "_count", "_created", "_sum"];
        let is_part = |part: &&str| base.strip_suffix(part).is_some_and(|owner| self.is(owner, Kind::Histogram));
        let is_created = |owner: &str| self.is(&format!("{owner}_total"), Kind::Counter);
        !base.is_empty()
            && !self.has(base)
            && !self.has(&format!("{base}_created"))
            && !PARTS.iter().any(is_part)
            && !base.strip_suffix("_created").is_some_and(is_created)
    }
}

struct OpenMetricsEncoder {
    lines: Lines,
    names: Names,
    has_created_lines: bool,
    /// The name of the samples `_created` of this family; empty if it has none.
    created: String,
    /// The bounds of this family.
    le: Vec<String>,
}

impl OpenMetricsEncoder {
    fn created_line(&mut self, metric: Metric<'_>) {
        if !self.created.is_empty() && metric.created > 0 {
            series(&mut self.lines.out, &self.created, "", metric.labels, NO_LABEL);
            let (seconds, millis) = (metric.created / 1_000, metric.created % 1_000);
            let _ = writeln!(self.lines.out, "{seconds}.{millis:03}");
        }
    }
}

impl Encoder for OpenMetricsEncoder {
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType) {
        let base = match kind {
            MetricType::Counter => name.strip_suffix("_total").filter(|base| self.names.is_free(base)),
            MetricType::Gauge | MetricType::Histogram | MetricType::Summary => Some(name),
        };
        let (base, type_name) = base.map_or((name, "unknown"), |base| (base, kind.as_str()));
        let out = &mut self.lines.out;
        let help = escaped(&sanitize::clean_help(help.unwrap_or(NO_HELP)));
        let _ = write!(out, "# HELP {base} {help}\n# TYPE {base} {type_name}\n");
        if let Some(unit) = unit_of(base) {
            let _ = writeln!(out, "# UNIT {base} {unit}");
        }
        self.created.clear();
        if self.has_created_lines && kind != MetricType::Gauge && type_name != "unknown" {
            let _ = write!(self.created, "{base}_created");
            if self.names.has(&self.created) {
                self.created.clear();
            }
        }
        self.le.clear();
        name.clone_into(&mut self.lines.name);
    }

    fn count(&mut self, metric: Metric<'_>, value: u64) {
        self.lines.count("", metric.labels, NO_LABEL, value);
        self.created_line(metric);
    }

    fn number(&mut self, metric: Metric<'_>, value: f64) {
        self.lines.number("", metric.labels, NO_LABEL, value);
        self.created_line(metric);
    }

    fn histogram(&mut self, metric: Metric<'_>, histogram: &Histogram<'_>) {
        if self.le.is_empty() {
            self.le.extend(histogram.upper.iter().chain([&f64::INFINITY]).map(|bound| canonical(*bound)));
        }
        for (bound, count) in self.le.iter().zip(histogram.counts) {
            self.lines.count("_bucket", metric.labels, ("le", bound), *count);
        }
        self.lines.number("_sum", metric.labels, NO_LABEL, histogram.sum);
        self.lines.count("_count", metric.labels, NO_LABEL, histogram.count());
        self.created_line(metric);
    }

    fn summary(&mut self, metric: Metric<'_>, summary: &Summary<'_>) {
        for (quantile, value) in summary.quantiles {
            self.lines.number("", metric.labels, ("quantile", &canonical(*quantile)), *value);
        }
        self.lines.number("_sum", metric.labels, NO_LABEL, summary.sum);
        self.lines.count("_count", metric.labels, NO_LABEL, summary.count);
        self.created_line(metric);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A number as the labels `le` and `quantile` have it, which Prometheus compares as text: as Go prints it, always with a point or an
/// exponent. Prometheus makes the same text out of protobuf.
fn canonical(number: f64) -> String {
    // No negative zero.
    let number = number + 0.0;
    let shortest = format!("{number:e}");
    let parts = shortest.split_once('e').and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?)));
    match parts {
        None if number.is_infinite() => if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        None => "NaN".to_owned(),
        Some((_, -4..6)) => {
            let plain = number.to_string();
            if plain.contains('.') { plain } else { plain + ".0" }
        }
        Some((digits, exponent)) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_quantiles_are_as_prometheus_writes_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0, "1.0"),
            (-1.0, "-1.0"),
            (0.005, "0.005"),
            (0.25, "0.25"),
            (0.999, "0.999"),
            (10.0, "10.0"),
            (14_400.0, "14400.0"),
            (123_456.0, "123456.0"),
            (123_456.5, "123456.5"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1e8, "1e+08"),
            (1e15, "1e+15"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-2.5e-7, "-2.5e-07"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(canonical(number), text);
        }
    }

    #[test]
    fn a_counter_loses_its_total_only_where_no_other_family_has_one_of_its_names() {
        let kinds = [
            ("alone_total", Kind::Counter),
            ("gauge", Kind::Gauge),
            ("gauge_total", Kind::Counter),
            ("time", Kind::Histogram),
            ("time_total", Kind::Counter),
            ("time_count_total", Kind::Counter),
            ("gauge_count_total", Kind::Counter),
            ("born_created", Kind::Gauge),
            ("born_total", Kind::Counter),
            ("twice_total", Kind::Counter),
            ("twice_total_total", Kind::Counter),
            ("made_total", Kind::Counter),
            ("made_created_total", Kind::Counter),
            ("_total", Kind::Counter),
        ];
        let names = Names(kinds.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect());
        let counters = kinds.iter().filter(|(_, kind)| *kind == Kind::Counter);
        let free = counters.filter(|(name, _)| name.strip_suffix("_total").is_some_and(|base| names.is_free(base)));
        let free: Vec<_> = free.map(|(name, _)| *name).collect();
        assert_eq!(free, ["alone_total", "gauge_count_total", "twice_total", "made_total"]);
    }
}
