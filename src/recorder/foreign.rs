//! Everything that nobody declared: `metrics-exporter-prometheus` stores it, and its text is taken apart for the merge.

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Mutex, OnceLock, PoisonError},
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Level, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::{cell::BUCKETS, exposition::Block, guard};
use crate::family::Kind;

/// The exporter ignores it.
static METADATA: Metadata<'static> = Metadata::new("compozy_monitoring", Level::INFO, None);

#[derive(Default)]
pub struct Foreign {
    /// Built on first use: a process whose names are all declared never pays for it.
    exporter: OnceLock<(PrometheusRecorder, PrometheusHandle)>,
    described: Mutex<HashSet<String>>,
}

impl std::fmt::Debug for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Foreign").finish_non_exhaustive()
    }
}

impl Foreign {
    fn recorder(&self) -> &PrometheusRecorder {
        let (recorder, _) = self.exporter.get_or_init(|| {
            // The only error is an empty list of buckets.
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
                .unwrap_or_default();
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            (recorder, handle)
        });
        recorder
    }

    pub(crate) fn counter(&self, key: &Key) -> Counter {
        self.recorder().register_counter(key, &METADATA)
    }

    pub(crate) fn gauge(&self, key: &Key) -> Gauge {
        self.recorder().register_gauge(key, &METADATA)
    }

    pub(crate) fn histogram(&self, key: &Key) -> Histogram {
        self.recorder().register_histogram(key, &METADATA)
    }

    /// The first description of a name stays. (The exporter means to do so, but forgets those that it has not
    /// published yet.)
    pub(crate) fn describe(&self, kind: Kind, name: &str, unit: Option<Unit>, text: &str) {
        let name = guard::metric_name(name).into_owned();
        if !self.described.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
            return;
        }
        let name = KeyName::from(name);
        let text = SharedString::from(match guard::double_backslashes(text) {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        });
        let recorder = self.recorder();
        match kind {
            Kind::Counter => recorder.describe_counter(name, unit, text),
            Kind::Gauge => recorder.describe_gauge(name, unit, text),
            Kind::Histogram => recorder.describe_histogram(name, unit, text),
        }
    }

    /// Moves queued samples into their distributions, so that memory stays flat while nobody scrapes.
    pub(crate) fn upkeep(&self) {
        if let Some((_, handle)) = self.exporter.get() {
            handle.run_upkeep();
        }
    }

    /// The exporter's families, each with its series sorted.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let Some((_, handle)) = self.exporter.get() else { return Vec::new() };
        take_apart(&handle.render())
    }
}

/// Cuts the exporter's text into families. Line breaks in values and help are escaped, so a line is a unit.
fn take_apart(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for family in text.split("\n\n") {
        let mut head = String::new();
        let mut name = "";
        let mut kind = "";
        let mut series: Vec<(&str, String)> = Vec::new();
        let mut open: Option<(&str, String)> = None;
        for line in family.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let keyword = words.next();
                name = words.next().unwrap_or_default();
                if keyword == Some("TYPE") {
                    kind = words.next().unwrap_or_default();
                }
                head.push_str(line);
                head.push('\n');
                continue;
            }
            if line.is_empty() {
                continue;
            }
            let (metric, labels) = split_line(line);
            let (key, lines) = open.get_or_insert_with(|| ("", String::new()));
            lines.push_str(line);
            lines.push('\n');
            // A counter or gauge is one line; the last line of a histogram or summary is its count.
            let grouped = kind == "histogram" || kind == "summary";
            if !grouped || metric.strip_prefix(name) == Some("_count") {
                *key = labels;
                series.extend(open.take());
            }
        }
        series.extend(open);
        if series.is_empty() {
            continue;
        }
        series.sort();
        let mut text = head;
        text.extend(series.into_iter().map(|(_, lines)| lines));
        blocks.push(Block { name: name.to_owned(), text });
    }
    blocks
}

/// `name{labels} value` as name and labels. A brace inside a value is no end: the last one of the line is.
fn split_line(line: &str) -> (&str, &str) {
    match (line.find('{'), line.rfind('}')) {
        (Some(open), Some(close)) if open < close => (&line[..open], &line[open + 1..close]),
        _ => (line.split(' ').next().unwrap_or_default(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Label;

    #[test]
    fn series_of_one_histogram_stay_together_and_in_bucket_order() {
        let foreign = Foreign::default();
        for value in ["b", "a}{\"", "c d"] {
            let key = Key::from_parts("lib_seconds", vec![Label::new("x", value)]);
            foreign.histogram(&key).record(0.3);
        }
        foreign.describe(Kind::Histogram, "lib_seconds", None, "two\nlines \\");
        let blocks = foreign.blocks();
        assert_eq!(blocks.len(), 1);
        let text = &blocks[0].text;
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], [r"# HELP lib_seconds two\nlines \\", "# TYPE lib_seconds histogram"]);
        assert_eq!(lines.len(), 2 + 3 * 14);
        assert_eq!(lines[2], r#"lib_seconds_bucket{x="a}{\"",le="0.005"} 0"#);
        assert_eq!(lines[13], r#"lib_seconds_bucket{x="a}{\"",le="+Inf"} 1"#);
        assert_eq!(lines[15], r#"lib_seconds_count{x="a}{\""} 1"#);
        assert_eq!(lines[16], r#"lib_seconds_bucket{x="b",le="0.005"} 0"#);
    }

    #[test]
    fn nothing_foreign_costs_nothing() {
        let foreign = Foreign::default();
        foreign.upkeep();
        assert!(foreign.blocks().is_empty());
        assert!(foreign.exporter.get().is_none());
    }
}
