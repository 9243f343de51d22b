//! What a service has recorded, for tests to look at.

use std::{collections::BTreeMap, fmt, fmt::Write};

use super::MonitoringService;
use crate::{
    builtin::catalogue::UPTIME,
    exposition::{Encoder, Histogram, Metric, MetricType, Summary, walk},
    storage::{sanitize::label_pairs, store::Store},
};

/// All series of a service at one moment, from [`MonitoringService::snapshot`].
///
/// It prints one series a line, sorted, as a scrape does.
///
/// ```
/// use compozy_monitoring::{MonitoringService, counter};
///
/// let service = MonitoringService::for_test();
/// service.in_scope(|| counter!("compozy_jobs_total", "queue" => "a").increment(2));
/// let before = service.snapshot();
/// service.in_scope(|| counter!("compozy_jobs_total", "queue" => "b").increment(1));
///
/// let after = service.snapshot();
/// assert_eq!(after.value("compozy_jobs_total", &[("queue", "a")]), Some(2.0));
/// assert_eq!(after.total("compozy_jobs_total"), 3.0);
/// assert_eq!(after.since(&before).to_string(), "compozy_jobs_total{queue=\"b\"} 1\n");
/// after.assert(
///     r#"
///     compozy_jobs_total{queue="a"} 2
///     compozy_jobs_total{queue="b"} 1
///     "#,
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot(BTreeMap<Series, f64>);

/// A name, and labels sorted by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: String,
    labels: Vec<(String, String)>,
}

impl Series {
    fn new(name: &str, mut labels: Vec<(String, String)>) -> Self {
        labels.sort();
        Self { name: name.to_owned(), labels }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (i, (name, value)) in self.labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(f, "{}{name}=\"{value}\"", if i == 0 { '{' } else { ',' })?;
        }
        if self.labels.is_empty() { Ok(()) } else { f.write_char('}') }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(series, value)| writeln!(f, "{series} {value}"))
    }
}

/// A line of an expectation: `name{label="value"} 1`.
fn line(text: &str) -> Option<(Series, f64)> {
    let (name, rest) = text.split_at_checked(text.find(['{', ' '])?)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => label_pairs(inside).and_then(|(labels, rest)| Some((labels, rest.strip_prefix('}')?)))?,
        None => (Vec::new(), rest),
    };
    Some((Series::new(name, labels), rest.trim().parse().ok()?))
}

/// Keeps every sample.
#[derive(Default)]
struct SnapshotEncoder {
    name: String,
    samples: BTreeMap<Series, f64>,
}

impl SnapshotEncoder {
    fn sample(&mut self, suffix: &str, metric: Metric<'_>, extra: Option<(&str, &str)>, value: f64) {
        let mut labels = label_pairs(metric.labels).map(|(labels, _)| labels).unwrap_or_default();
        labels.extend(extra.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self.samples.insert(Series::new(&format!("{}{suffix}", self.name), labels), value);
    }
}

impl Encoder for SnapshotEncoder {
    fn family(&mut self, name: &str, _: Option<&str>, _: MetricType) {
        name.clone_into(&mut self.name);
    }

    fn count(&mut self, metric: Metric<'_>, value: u64) {
        self.sample("", metric, None, value as f64);
    }

    fn number(&mut self, metric: Metric<'_>, value: f64) {
        self.sample("", metric, None, value);
    }

    fn histogram(&mut self, metric: Metric<'_>, histogram: &Histogram<'_>) {
        for (bound, count) in histogram.bounds.iter().zip(histogram.counts) {
            self.sample("_bucket", metric, Some(("le", bound)), *count as f64);
        }
        self.sample("_sum", metric, None, histogram.sum);
        self.sample("_count", metric, None, histogram.count() as f64);
    }

    fn summary(&mut self, metric: Metric<'_>, summary: &Summary<'_>) {
        for (quantile, value) in summary.quantiles {
            self.sample("", metric, Some(("quantile", &quantile.to_string())), *value);
        }
        self.sample("_sum", metric, None, summary.sum);
        self.sample("_count", metric, None, summary.count as f64);
    }
}

/// Everything that was recorded, without what is read at a scrape. Two calls give the same if nothing is recorded in between.
fn recorded(store: &Store) -> BTreeMap<Series, f64> {
    let mut encoder = SnapshotEncoder::default();
    let _ = store.collect();
    walk(store, Vec::new(), |name| name != UPTIME.lazy.def().name, &mut encoder);
    encoder.samples
}

/// Whether a name is of something that only grows: a counter, or a part of a histogram.
fn grows(name: &str) -> bool {
    ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end))
}

impl MonitoringService {
    /// All series now, for a test. Empty if the service is off.
    ///
    /// It has what was recorded. It does not have what is read at each scrape: the uptime, the families of the process
    /// and those of the Tokio runtime.
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "prometheus")))]
    pub fn snapshot(&self) -> Snapshot {
        let read = |store: &Store| store.diagnostics.catch_and_report("snapshot", || recorded(store));
        Snapshot(self.store().and_then(|store| read(store)).unwrap_or_default())
    }
}

impl Snapshot {
    /// The value of the series with this name and exactly these labels, in any order.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.0.get(&Series::new(name, labels)).copied()
    }

    /// The sum over all series of this name, or 0 if there are none. The name of a histogram ends in `_count` or `_sum`
    /// here.
    #[must_use]
    pub fn total(&self, name: &str) -> f64 {
        self.0.iter().filter(|(series, _)| series.name == name).map(|(_, value)| value).sum()
    }

    /// What changed since an earlier snapshot: by how much counters and histograms grew, and what gauges are now.
    ///
    /// The kind is known by the end of the name. Series that did not change are left out.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let changed = self.0.iter().filter_map(|(series, now)| match earlier.0.get(series) {
            Some(before) if before == now => None,
            Some(before) if grows(&series.name) => Some((series.clone(), now - before)),
            None if *now == 0.0 && grows(&series.name) => None,
            _ => Some((series.clone(), *now)),
        });
        Self(changed.collect())
    }

    /// The difference from an expectation, one series a line as in [`assert`](Self::assert). A line with `-` is
    /// missing. A line with `+` was not expected. `None` if they agree.
    ///
    /// # Errors
    /// The line of the expectation that is not a series with a value.
    pub fn difference(&self, expected: &str) -> Result<Option<String>, String> {
        let lines = expected.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let read =
            |text| line(text).ok_or_else(|| format!("`{text}` is not a series; accepted: `name{{label=\"value\"}} 1`"));
        let expected = lines.map(read).collect::<Result<BTreeMap<_, _>, _>>()?;
        let there = self.0.iter().filter(|(series, _)| expected.keys().any(|wanted| wanted.name == series.name));
        let there: BTreeMap<_, _> = there.map(|(series, value)| (series.clone(), *value)).collect();
        let mut all: Vec<_> = expected.keys().chain(there.keys()).collect();
        all.sort();
        all.dedup();
        let (mut text, mut differs) = (String::new(), false);
        for series in all {
            let (wanted, found) = (expected.get(series), there.get(series));
            let is_nan = |value: Option<&f64>| value.is_some_and(|value| value.is_nan());
            if wanted == found || is_nan(wanted) && is_nan(found) {
                let _ = writeln!(text, "  {series} {}", wanted.copied().unwrap_or_default());
                continue;
            }
            differs = true;
            for (sign, value) in [('-', wanted), ('+', found)] {
                let _ = value.map(|value| writeln!(text, "{sign} {series} {value}"));
            }
        }
        Ok(differs.then_some(text))
    }

    /// Asserts that the names in the expectation have exactly these series, with these values. Other names do not
    /// matter. For a histogram, `name_count` is a name of its own.
    ///
    /// # Panics
    /// If they differ, with the lines of [`difference`](Self::difference). If a line of the expectation cannot be read.
    #[track_caller]
    #[cfg_attr(not(test), expect(clippy::panic, reason = "it is an assertion"))]
    pub fn assert(&self, expected: &str) {
        match self.difference(expected) {
            Ok(None) => {}
            Ok(Some(difference)) => panic!("the metrics differ: - expected, + recorded\n{difference}"),
            Err(line) => panic!("{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(service: &MonitoringService, times: u64) {
        service.in_scope(|| {
            counter!("compozy_snap_total", "path" => "/a\"b\\c").increment(times);
            gauge!("compozy_snap_level").set(times as f64);
            histogram!("compozy_snap_seconds").record(0.25);
        });
    }

    #[test]
    fn values_are_found_by_name_and_labels() {
        let service = MonitoringService::for_test();
        work(&service, 3);
        let snapshot = service.snapshot();
        assert_eq!(snapshot.value("compozy_snap_total", &[("path", "/a\"b\\c")]), Some(3.0));
        assert_eq!(snapshot.value("compozy_snap_total", &[]), None);
        assert_eq!(snapshot.value("compozy_snap_seconds_bucket", &[("le", "0.25")]), Some(1.0));
        assert_eq!(snapshot.value("compozy_snap_seconds_bucket", &[("le", "+Inf")]), Some(1.0));
        assert_eq!((snapshot.total("compozy_snap_total"), snapshot.total("compozy_nothing_total")), (3.0, 0.0));
        assert!(!snapshot.to_string().contains("uptime"));
        assert_eq!(snapshot, service.snapshot());
    }

    #[test]
    fn it_prints_as_a_scrape_and_reads_what_it_prints() {
        let service = MonitoringService::for_test();
        work(&service, 3);
        let text = service.snapshot().to_string();
        assert!(text.contains("compozy_snap_total{path=\"/a\\\"b\\\\c\"} 3\n"), "{text}");
        service.snapshot().assert(&text);
        for line in text.lines() {
            assert!(service.render().contains(line), "{line}");
        }
    }

    #[test]
    fn since_is_by_how_much_counters_grew_and_where_gauges_are() {
        let service = MonitoringService::for_test();
        work(&service, 3);
        let before = service.snapshot();
        assert_eq!(service.snapshot().since(&before), Snapshot::default());
        work(&service, 5);
        let since = service.snapshot().since(&before);
        assert_eq!(since.total("compozy_snap_total"), 5.0);
        assert_eq!(since.value("compozy_snap_level", &[]), Some(5.0));
        assert_eq!((since.total("compozy_snap_seconds_count"), since.total("compozy_snap_seconds_sum")), (1.0, 0.25));
        assert_eq!(since.value("compozy_snap_seconds_bucket", &[("le", "0.1")]), None, "it did not change");
    }

    #[test]
    fn a_difference_names_what_is_missing_and_what_is_too_much() {
        let service = MonitoringService::for_test();
        service.in_scope(|| {
            for path in ["a", "b", "c"] {
                counter!("compozy_snap_total", "path" => path, "method" => "GET").increment(1);
            }
        });
        let expected = r#"
            # in any order, with labels in any order
            compozy_snap_total{path="d",method="GET"} 1
            compozy_snap_total{path="a",method="GET"} 1
            compozy_snap_total{method="GET",path="b"} 2
        "#;
        let difference = service.snapshot().difference(expected).unwrap().expect("they differ");
        let lines = [
            r#"  compozy_snap_total{method="GET",path="a"} 1"#,
            r#"- compozy_snap_total{method="GET",path="b"} 2"#,
            r#"+ compozy_snap_total{method="GET",path="b"} 1"#,
            r#"+ compozy_snap_total{method="GET",path="c"} 1"#,
            r#"- compozy_snap_total{method="GET",path="d"} 1"#,
            "",
        ];
        assert_eq!(difference, lines.join("\n"));
        service.in_scope(|| gauge!("compozy_snap_level").set(f64::INFINITY));
        service.snapshot().assert("compozy_snap_level +Inf");
        let odd = Snapshot([line("x NaN").unwrap()].into());
        assert_eq!((odd.difference("x NaN"), odd.difference("x 1").map(|text| text.is_some())), (Ok(None), Ok(true)));
        for bad in ["compozy_snap_total", "compozy_snap_total{path=\"a\" 1", "compozy_snap_total many", "x{path=a} 1"] {
            let problem = service.snapshot().difference(bad).unwrap_err();
            assert!(problem.starts_with(&format!("`{bad}` is not a series; accepted: ")), "{problem}");
        }
    }

    #[test]
    #[should_panic(expected = "- compozy_snap_total 2\n+ compozy_snap_total 1\n")]
    fn an_assertion_panics_with_the_difference() {
        let service = MonitoringService::for_test();
        service.in_scope(|| counter!("compozy_snap_total").increment(1));
        service.snapshot().assert("compozy_snap_total 2");
    }
}
