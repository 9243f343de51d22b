//! The protobuf format of Prometheus: messages `io.prometheus.client.MetricFamily`, each behind its length.
//!
//! Written by hand: a message is a list of fields, a field its number, its kind and its value. `metrics.proto` of
//! `prometheus/client_model` has the numbers.

use super::{
    Format,
    encoder::{Encoder, Histogram, Metric, MetricType, NO_HELP, Summary},
    render::{self},
    spans::{Span, spans},
};
use crate::{
    schema::buckets::unit_of,
    storage::{
        native::{NativeCounts, SCHEMA, ZERO_THRESHOLD},
        sanitize,
        store::Store,
    },
};

/// Everything that a scrape shows.
pub(super) fn render(store: &Store) -> Vec<u8> {
    let new = |bytes, _: &[_]| ProtobufEncoder {
        out: Vec::with_capacity(bytes),
        has_native: store.has_native_histograms(),
        family: Message::default(),
        unit: None,
        kind: MetricType::Gauge,
        metric: Message::default(),
        value: Message::default(),
        part: Message::default(),
    };
    render::render(store, Format::Protobuf, new, |mut encoder: ProtobufEncoder| {
        encoder.end_family();
        encoder.out
    })
}

/// The fields of a message, one behind the other.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(bytes: &mut Vec<u8>, mut number: u64) {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    }

    /// The number of a field, which is below 16, and of which kind its value is.
    fn key(&mut self, field: u8, kind: u8) {
        self.0.push(field << 3 | kind);
    }

    fn whole(&mut self, field: u8, value: u64) {
        self.key(field, 0);
        Self::varint(&mut self.0, value);
    }

    /// A signed number as `sint32` and `sint64` have it: the sign is the lowest bit, so numbers near 0 are short.
    fn signed(bytes: &mut Vec<u8>, number: i64) {
        Self::varint(bytes, ((number << 1) ^ (number >> 63)) as u64);
    }

    fn double(&mut self, field: u8, value: f64) {
        self.key(field, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Begins a text or a message of this size.
    fn begin(&mut self, field: u8, size: usize) {
        self.key(field, 2);
        Self::varint(&mut self.0, size as u64);
    }

    fn bytes(&mut self, field: u8, value: &[u8]) {
        self.begin(field, value.len());
        self.0.extend_from_slice(value);
    }

    /// Adds a message as a field, and empties it.
    fn message(&mut self, field: u8, part: &mut Self) {
        self.bytes(field, &part.0);
        part.0.clear();
    }
}

/// How many bytes a whole number takes, without its key.
fn size_of_whole(number: u64) -> usize {
    let bits = number.checked_ilog2().map_or(1, |highest| highest.saturating_add(1));
    bits.div_ceil(7) as usize
}

/// How many bytes a text and its length take, without the key.
fn size_of_text(text: &str) -> usize {
    size_of_whole(text.len() as u64).saturating_add(text.len())
}

/// The fields of the message `MetricFamily`.
mod family {
    pub(super) const NAME: u8 = 1;
    pub(super) const HELP: u8 = 2;
    pub(super) const TYPE: u8 = 3;
    pub(super) const METRIC: u8 = 4;
    pub(super) const UNIT: u8 = 5;
}

/// The fields of the message `Metric`.
mod metric {
    pub(super) const LABEL: u8 = 1;
    pub(super) const GAUGE: u8 = 2;
    pub(super) const COUNTER: u8 = 3;
    pub(super) const SUMMARY: u8 = 4;
    pub(super) const HISTOGRAM: u8 = 7;
}

/// The fields of the message `Histogram`.
mod histogram {
    pub(super) const COUNT: u8 = 1;
    pub(super) const SUM: u8 = 2;
    pub(super) const BUCKET: u8 = 3;
    pub(super) const SCHEMA: u8 = 5;
    pub(super) const ZERO_THRESHOLD: u8 = 6;
    pub(super) const ZERO_COUNT: u8 = 7;
    pub(super) const NEGATIVE_SPAN: u8 = 9;
    pub(super) const NEGATIVE_DELTA: u8 = 10;
    pub(super) const POSITIVE_SPAN: u8 = 12;
    pub(super) const POSITIVE_DELTA: u8 = 13;
    pub(super) const CREATED: u8 = 15;
}

struct ProtobufEncoder {
    out: Vec<u8>,
    /// Whether histograms have native buckets too.
    has_native: bool,
    /// The family that has begun; empty before the first.
    family: Message,
    kind: MetricType,
    unit: Option<&'static str>,
    /// A metric, its value, and a part of that: empty between two metrics.
    metric: Message,
    value: Message,
    part: Message,
}

impl ProtobufEncoder {
    fn end_family(&mut self) {
        if let Some(unit) = self.unit.take() {
            self.family.bytes(family::UNIT, unit.as_bytes());
        }
        if !self.family.0.is_empty() {
            Message::varint(&mut self.out, self.family.0.len() as u64);
            self.out.append(&mut self.family.0);
        }
    }

    /// Adds a metric with these labels and the value that was written before. `value` is the field of the value.
    fn metric(&mut self, labels: &str, value: u8) {
        let mut rest = labels;
        // Ends at the last label: label texts are written by us.
        while let Some((name, value, after)) = sanitize::label_pair(rest) {
            let size = size_of_text(name).saturating_add(size_of_text(&value)).saturating_add(2);
            self.metric.begin(metric::LABEL, size);
            self.metric.bytes(1, name.as_bytes());
            self.metric.bytes(2, value.as_bytes());
            rest = after;
        }
        self.metric.message(value, &mut self.value);
        self.family.message(family::METRIC, &mut self.metric);
    }

    /// The native buckets of a histogram. A zero threshold above 0 says that it has them, also before there are samples.
    fn native(&mut self, native: &NativeCounts) {
        self.value.key(histogram::SCHEMA, 0);
        Message::signed(&mut self.value.0, i64::from(SCHEMA));
        self.value.double(histogram::ZERO_THRESHOLD, ZERO_THRESHOLD);
        self.value.whole(histogram::ZERO_COUNT, native.zero);
        for (buckets, span_field, delta_field) in [
            (&native.negative, histogram::NEGATIVE_SPAN, histogram::NEGATIVE_DELTA),
            (&native.positive, histogram::POSITIVE_SPAN, histogram::POSITIVE_DELTA),
        ] {
            let (spans, deltas) = spans(buckets);
            for Span { offset, length } in spans {
                self.part.key(1, 0);
                Message::signed(&mut self.part.0, i64::from(offset));
                self.part.whole(2, u64::from(length));
                self.value.message(span_field, &mut self.part);
            }
            if !deltas.is_empty() {
                deltas.into_iter().for_each(|delta| Message::signed(&mut self.part.0, delta));
                self.value.message(delta_field, &mut self.part);
            }
        }
    }

    /// Since when the value counts, in this field of it.
    fn created(&mut self, field: u8, created: u64) {
        if created > 0 {
            let (seconds, nanos) = (created / 1_000, (created % 1_000).wrapping_mul(1_000_000));
            let size = size_of_whole(seconds).saturating_add(size_of_whole(nanos)).saturating_add(2);
            self.value.begin(field, size);
            self.value.whole(1, seconds);
            self.value.whole(2, nanos);
        }
    }
}

impl Encoder for ProtobufEncoder {
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType) {
        self.end_family();
        self.kind = kind;
        let is_counter = kind == MetricType::Counter;
        self.unit = unit_of(name.strip_suffix("_total").filter(|_| is_counter).unwrap_or(name));
        self.family.bytes(family::NAME, name.as_bytes());
        self.family.bytes(family::HELP, sanitize::clean_help(help.unwrap_or(NO_HELP)).as_bytes());
        let number = match kind {
            MetricType::Counter => 0,
            MetricType::Gauge => 1,
            MetricType::Summary => 2,
            MetricType::Histogram => 4,
        };
        self.family.whole(family::TYPE, number);
    }

    fn count(&mut self, metric: Metric<'_>, value: u64) {
        self.number(metric, value as f64);
    }

    fn number(&mut self, metric: Metric<'_>, value: f64) {
        self.value.double(1, value);
        if self.kind == MetricType::Counter {
            self.created(3, metric.created);
            self.metric(metric.labels, metric::COUNTER);
        } else {
            self.metric(metric.labels, metric::GAUGE);
        }
    }

    fn histogram(&mut self, metric: Metric<'_>, histogram: &Histogram<'_>) {
        self.value.whole(histogram::COUNT, histogram.count());
        self.value.double(histogram::SUM, histogram.sum);
        // Without `+Inf`, which is the count of all.
        for (bound, count) in histogram.upper.iter().zip(histogram.counts) {
            // A double takes eight bytes, each field one more.
            self.value.begin(histogram::BUCKET, size_of_whole(*count).saturating_add(10));
            self.value.whole(1, *count);
            self.value.double(2, *bound);
        }
        if self.has_native {
            self.native(histogram.native);
        }
        self.created(histogram::CREATED, metric.created);
        self.metric(metric.labels, metric::HISTOGRAM);
    }

    fn has_native(&self) -> bool {
        self.has_native
    }

    fn summary(&mut self, metric: Metric<'_>, summary: &Summary<'_>) {
        self.value.whole(1, summary.count);
        self.value.double(2, summary.sum);
        for (quantile, value) in summary.quantiles {
            self.value.begin(3, 18);
            self.value.double(1, *quantile);
            self.value.double(2, *value);
        }
        self.created(4, metric.created);
        self.metric(metric.labels, metric::SUMMARY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_whole_number_is_what_it_takes() {
        for number in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 1 << 21, (1 << 35) - 1, 1 << 35, 1 << 63, u64::MAX] {
            let mut bytes = Vec::new();
            Message::varint(&mut bytes, number);
            assert_eq!(size_of_whole(number), bytes.len(), "{number}");
        }
    }
}
