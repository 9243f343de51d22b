//! The protobuf format of Prometheus: messages `io.prometheus.client.MetricFamily`, each behind its length.
//!
//! Written by hand. A message is a list of fields; a field is its number, its wire type and its value. The numbers are those of
//! `metrics.proto` in `prometheus/client_model`.

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
        out: Message(Vec::with_capacity(bytes)),
        has_native: store.has_native_histograms(),
        family: None,
        unit: None,
        kind: MetricType::Gauge,
        created: 0,
        timestamp: Message(Vec::new()),
        labels: Labels::default(),
    };
    render::render(store, Format::Protobuf, new, |mut encoder: ProtobufEncoder| {
        encoder.end_family();
        encoder.out.0
    })
}

/// A message: its fields, one after the other. Messages in it are written in place.
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A signed number as `sint32` and `sint64` have it: the sign is the lowest bit, so numbers near 0 are short.
    fn signed(&mut self, number: i64) {
        self.varint(((number << 1) ^ (number >> 63)) as u64);
    }

    #[inline]
    fn whole(&mut self, field: u8, value: u64) {
        self.key(field, WHOLE, value);
    }

    #[inline]
    fn double(&mut self, field: u8, value: f64) {
        let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
        self.0.extend_from_slice(&[key(field, DOUBLE), a, b, c, d, e, f, g, h]);
    }

    #[inline]
    fn bytes(&mut self, field: u8, value: &[u8]) {
        self.key(field, BYTES, value.len() as u64);
        self.0.extend_from_slice(value);
    }

    #[inline]
    fn text(&mut self, field: u8, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// Adds the first label of a label text; returns the rest of the text. Adds nothing and returns `None` if the value is escaped or
    /// the label is long.
    #[inline]
    fn short_label<'a>(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        let (name, after) = text.split_at_checked(first(text, *b"=")?)?;
        let after = after.strip_prefix(b"=\"")?;
        let (value, after) = after.split_at_checked(first(after, *b"\"\\")?)?;
        let after = after.strip_prefix(b"\"")?;
        // Four bytes are those of keys and lengths.
        let size = name.len().saturating_add(value.len()).saturating_add(4);
        if size >= 0x80 {
            return None;
        }
        self.0.extend_from_slice(&[key(metric::LABEL, BYTES), size as u8, key(1, BYTES), name.len() as u8]);
        self.0.extend_from_slice(name);
        self.0.extend_from_slice(&[key(2, BYTES), value.len() as u8]);
        self.0.extend_from_slice(value);
        Some(after.strip_prefix(b",").unwrap_or(after))
    }

    /// The same for every label, more slowly.
    #[cold]
    fn any_label<'a>(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        let (name, value, after) = sanitize::label_pair(std::str::from_utf8(text).ok()?)?;
        self.message(metric::LABEL, |out| {
            out.text(1, name);
            out.text(2, &value);
        });
        Some(after.as_bytes())
    }

    /// Adds a message as a field.
    #[inline]
    fn message(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        self.0.extend_from_slice(&[key(field, BYTES), 0]);
        let start = self.0.len();
        write(self);
        self.end(start);
    }

    /// The key of a field, and the number behind it.
    #[inline]
    fn key(&mut self, field: u8, kind: u8, number: u64) {
        if number < 0x80 {
            self.0.extend_from_slice(&[key(field, kind), number as u8]);
        } else {
            self.0.push(key(field, kind));
            self.varint(number);
        }
    }

    /// Writes the length of the message that begins at `start` into the byte before it. A length of 128 or more needs more bytes:
    /// then the message is moved. Most messages are short.
    #[inline]
    fn end(&mut self, start: usize) {
        let size = self.0.len().saturating_sub(start);
        match self.0.get_mut(start.saturating_sub(1)) {
            Some(length) if size < 0x80 => *length = size as u8,
            _ => self.end_long(start, size),
        }
    }

    #[inline(never)]
    fn end_long(&mut self, start: usize, size: usize) {
        let (place, end) = (start.saturating_sub(1), self.0.len());
        self.varint(size as u64);
        let taken = self.0.len().saturating_sub(end);
        if let Some(message) = self.0.get_mut(start..) {
            message.rotate_right(taken);
            self.0.remove(place);
        }
    }
}

/// Where the first of some bytes is. Eight bytes at a time, because this is much of the work of a scrape of counters.
#[inline]
fn first<const N: usize>(text: &[u8], bytes: [u8; N]) -> Option<usize> {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let (words, rest) = text.as_chunks();
    for (i, word) in words.iter().enumerate() {
        // The lowest bit that is set marks the first of the bytes: the highest bit of its place.
        let found = bytes.iter().fold(0, |found, byte| {
            let differs = u64::from_le_bytes(*word) ^ EACH.wrapping_mul(u64::from(*byte));
            found | differs.wrapping_sub(EACH) & !differs & EACH << 7
        });
        if found != 0 {
            return Some(i.saturating_mul(8).saturating_add(found.trailing_zeros() as usize / 8));
        }
    }
    let last = rest.iter().position(|byte| bytes.contains(byte))?;
    Some(last.saturating_add(words.len().saturating_mul(8)))
}

/// The wire types of fields.
const WHOLE: u8 = 0;
const DOUBLE: u8 = 1;
const BYTES: u8 = 2;

/// The key of a field: its number, which is below 16, and its wire type.
const fn key(field: u8, kind: u8) -> u8 {
    field << 3 | kind
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
    out: Message,
    /// Whether histograms have native buckets too.
    has_native: bool,
    /// Where the message of the current family begins in `out`.
    family: Option<usize>,
    kind: MetricType,
    unit: Option<&'static str>,
    /// The start time of the last metric, and the same as a message: metrics that were made together share it.
    created: u64,
    timestamp: Message,
    labels: Labels,
}

/// All labels of the last metric except the last one, as text and as fields. Metrics are sorted by their labels, so most metrics
/// share these with the one before.
#[derive(Default)]
struct Labels {
    text: Vec<u8>,
    fields: Vec<u8>,
}

impl Labels {
    fn write(&mut self, text: &[u8], out: &mut Message) {
        let start = out.0.len();
        let mut rest = match text.strip_prefix(self.text.as_slice()) {
            Some(others) => {
                out.0.extend_from_slice(&self.fields);
                others
            }
            None => text,
        };
        while !rest.is_empty() {
            let after = out.short_label(rest).or_else(|| out.any_label(rest));
            // Never ends here: this crate writes the label texts.
            let Some(after) = after else { break };
            if !after.is_empty() {
                self.text.clear();
                self.text.extend_from_slice(text.strip_suffix(after).unwrap_or_default());
                self.fields.clear();
                self.fields.extend_from_slice(out.0.get(start..).unwrap_or_default());
            }
            rest = after;
        }
    }
}

impl ProtobufEncoder {
    fn end_family(&mut self) {
        if let Some(unit) = self.unit.take() {
            self.out.text(family::UNIT, unit);
        }
        if let Some(start) = self.family.take() {
            self.out.end(start);
        }
    }

    /// Adds a metric. `value` is the field of its value, `created` the field of its start in that; 0 for none.
    fn metric(&mut self, metric: Metric<'_>, value: u8, created: u8, write: impl FnOnce(&mut Message)) {
        if metric.created != self.created {
            self.created = metric.created;
            self.timestamp.0.clear();
            self.timestamp.whole(1, metric.created / 1_000);
            self.timestamp.whole(2, (metric.created % 1_000).wrapping_mul(1_000_000));
        }
        self.out.message(family::METRIC, |out| {
            self.labels.write(metric.labels.as_bytes(), out);
            out.message(value, |out| {
                write(out);
                if created > 0 && metric.created > 0 {
                    out.bytes(created, &self.timestamp.0);
                }
            });
        });
    }
}

/// The native buckets of a histogram. A zero threshold above 0 says that it has them, also before there are samples.
fn native(out: &mut Message, native: &NativeCounts) {
    out.0.push(key(histogram::SCHEMA, WHOLE));
    out.signed(i64::from(SCHEMA));
    out.double(histogram::ZERO_THRESHOLD, ZERO_THRESHOLD);
    out.whole(histogram::ZERO_COUNT, native.zero);
    for (buckets, span_field, delta_field) in [
        (&native.negative, histogram::NEGATIVE_SPAN, histogram::NEGATIVE_DELTA),
        (&native.positive, histogram::POSITIVE_SPAN, histogram::POSITIVE_DELTA),
    ] {
        let (spans, deltas) = spans(buckets);
        for Span { offset, length } in spans {
            out.message(span_field, |out| {
                out.0.push(key(1, WHOLE));
                out.signed(i64::from(offset));
                out.whole(2, u64::from(length));
            });
        }
        if !deltas.is_empty() {
            out.message(delta_field, |out| deltas.into_iter().for_each(|delta| out.signed(delta)));
        }
    }
}

impl Encoder for ProtobufEncoder {
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType) {
        self.end_family();
        self.kind = kind;
        let is_counter = kind == MetricType::Counter;
        self.unit = unit_of(name.strip_suffix("_total").filter(|_| is_counter).unwrap_or(name));
        let number = match kind {
            MetricType::Counter => 0,
            MetricType::Gauge => 1,
            MetricType::Summary => 2,
            MetricType::Histogram => 4,
        };
        self.out.0.push(0);
        self.family = Some(self.out.0.len());
        self.out.text(family::NAME, name);
        self.out.text(family::HELP, &sanitize::clean_help(help.unwrap_or(NO_HELP)));
        self.out.whole(family::TYPE, number);
    }

    fn count(&mut self, metric: Metric<'_>, value: u64) {
        self.number(metric, value as f64);
    }

    fn number(&mut self, metric: Metric<'_>, value: f64) {
        let (field, created) = if self.kind == MetricType::Counter { (metric::COUNTER, 3) } else { (metric::GAUGE, 0) };
        self.metric(metric, field, created, |out| out.double(1, value));
    }

    fn histogram(&mut self, metric: Metric<'_>, histogram: &Histogram<'_>) {
        let has_native = self.has_native;
        self.metric(metric, metric::HISTOGRAM, histogram::CREATED, |out| {
            out.whole(histogram::COUNT, histogram.count());
            out.double(histogram::SUM, histogram.sum);
            // Without `+Inf`, which is the count of all.
            for (bound, count) in histogram.upper.iter().zip(histogram.counts) {
                out.message(histogram::BUCKET, |out| {
                    out.whole(1, *count);
                    out.double(2, *bound);
                });
            }
            if has_native {
                native(out, histogram.native);
            }
        });
    }

    fn has_native(&self) -> bool {
        self.has_native
    }

    fn summary(&mut self, metric: Metric<'_>, summary: &Summary<'_>) {
        self.metric(metric, metric::SUMMARY, 4, |out| {
            out.whole(1, summary.count);
            out.double(2, summary.sum);
            for (quantile, value) in summary.quantiles {
                out.message(3, |out| {
                    out.double(1, *quantile);
                    out.double(2, *value);
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_of_the_text_at_every_length_and_behind_any_others() {
        let mut labels = Labels::default();
        for length in 0..140 {
            for special in ["", "\"", "\\", "=", ",", "é", "\u{bd}", "a\"b", "\",c=\""] {
                let text = "x".repeat(length);
                for (first, last) in
                    [(format!("{text}{special}"), "z"), (format!("{special}{text}"), ""), (text, special)]
                {
                    let name = "b".repeat(length + 1);
                    for pairs in [vec![("a", &*first), (&*name, last)], vec![("a", &*first)], vec![]] {
                        let mut expected = Message(vec![7]);
                        for (name, value) in &pairs {
                            expected.message(metric::LABEL, |out| {
                                out.text(1, name);
                                out.text(2, value);
                            });
                        }
                        let mut out = Message(vec![7]);
                        labels.write(sanitize::label_text(pairs.into_iter()).as_bytes(), &mut out);
                        assert_eq!(out.0, expected.0, "{first} {last}");
                    }
                }
            }
        }
    }

    /// What a varint says, and how many bytes it takes.
    fn read(bytes: &[u8]) -> (u64, usize) {
        let size = bytes.iter().position(|byte| *byte < 0x80).unwrap() + 1;
        (bytes[..size].iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)), size)
    }

    #[test]
    fn a_message_stands_behind_its_length_in_the_fewest_bytes() {
        for size in [0, 1, 0x7f, 0x80, 0x81, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000] {
            let mut out = Message(vec![9]);
            out.message(1, |out| out.0.extend((0..size).map(|i| i as u8)));
            out.0.push(9);
            let (said, taken) = read(&out.0[2..]);
            assert_eq!((said, taken), (size as u64, format!("{size:b}").len().div_ceil(7)));
            assert_eq!(out.0[..2], [9, 0x0a]);
            let content = &out.0[2 + taken..];
            assert!(content.iter().take(size).enumerate().all(|(i, byte)| *byte == i as u8), "{size}");
            assert_eq!(content[size..], [9]);
        }
    }
}
