//! `io.prometheus.client.MetricFamily`, read by `prost`. The fields are those of `metrics.proto` in `prometheus/client_model`.

use std::collections::BTreeMap;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct LabelPair {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Gauge {
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Counter {
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    pub created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Quantile {
    #[prost(double, optional, tag = "1")]
    pub quantile: Option<f64>,
    #[prost(double, optional, tag = "2")]
    pub value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    #[prost(uint64, optional, tag = "1")]
    pub sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub quantile: Vec<Quantile>,
    #[prost(message, optional, tag = "4")]
    pub created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    pub cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub upper_bound: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    pub offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    pub length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    pub sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    pub sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    pub schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    pub zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    pub zero_count: Option<u64>,
    #[prost(message, repeated, tag = "9")]
    pub negative_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "10")]
    pub negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    pub positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    pub positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    pub created_timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    pub counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    pub summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    pub histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub help: Option<String>,
    /// 0 is a counter, 1 a gauge, 2 a summary, 4 a histogram.
    #[prost(int32, optional, tag = "3")]
    pub r#type: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    pub unit: Option<String>,
}

impl Histogram {
    /// The native buckets with samples, by their index: first those below zero, then those above.
    pub fn native(&self) -> [BTreeMap<i32, u64>; 2] {
        [(&self.negative_span, &self.negative_delta), (&self.positive_span, &self.positive_delta)].map(
            |(spans, deltas)| {
                let (mut buckets, mut index, mut count) = (BTreeMap::new(), 0, 0);
                let mut deltas = deltas.iter();
                for span in spans {
                    index += span.offset.expect("an offset");
                    for _ in 0..span.length.expect("a length") {
                        count += deltas.next().expect("a count for each bucket");
                        if count > 0 {
                            buckets.insert(index, u64::try_from(count).expect("not negative"));
                        }
                        index += 1;
                    }
                }
                assert_eq!(deltas.next(), None);
                buckets
            },
        )
    }
}

/// All families of an answer.
pub fn families(mut bytes: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut bytes).expect("a message"));
    }
    families
}

/// A name and labels.
pub type Series = (String, BTreeMap<String, String>);

impl MetricFamily {
    /// The samples of a family as Prometheus stores them, and since when each counts, in milliseconds since 1970.
    pub fn samples(&self) -> Vec<(Series, f64, Option<i64>)> {
        let mut samples = Vec::new();
        for metric in &self.metric {
            let text = |text: &Option<String>| text.clone().expect("a text");
            let labels: BTreeMap<_, _> =
                metric.label.iter().map(|label| (text(&label.name), text(&label.value))).collect();
            assert_eq!(labels.len(), metric.label.len(), "a label twice: {metric:?}");
            let millis =
                |created: Option<Timestamp>| created.map(|at| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000);
            let mut put = |suffix: &str, extra: Option<(&str, f64)>, value: f64, created: Option<Timestamp>| {
                let mut labels = labels.clone();
                labels.extend(extra.map(|(name, value)| (name.to_owned(), value.to_string())));
                samples.push(((text(&self.name) + suffix, labels), value, millis(created)));
            };
            match (self.r#type.expect("a type"), &metric.counter, &metric.gauge, &metric.summary, &metric.histogram) {
                (0, Some(counter), None, None, None) => {
                    put("", None, counter.value.expect("a value"), counter.created_timestamp);
                }
                (1, None, Some(gauge), None, None) => put("", None, gauge.value.expect("a value"), None),
                (2, None, None, Some(summary), None) => {
                    let created = summary.created_timestamp;
                    for quantile in &summary.quantile {
                        let label = quantile.quantile.expect("a quantile");
                        put("", Some(("quantile", label)), quantile.value.expect("a value"), created);
                    }
                    put("_sum", None, summary.sample_sum.expect("a sum"), created);
                    put("_count", None, summary.sample_count.expect("a count") as f64, created);
                }
                (4, None, None, None, Some(histogram)) => {
                    let (created, count) = (histogram.created_timestamp, histogram.sample_count.expect("a count"));
                    for bucket in &histogram.bucket {
                        let bound = bucket.upper_bound.expect("a bound");
                        assert!(bound.is_finite());
                        put("_bucket", Some(("le", bound)), bucket.cumulative_count.expect("a count") as f64, created);
                    }
                    put("_bucket", Some(("le", f64::INFINITY)), count as f64, created);
                    put("_sum", None, histogram.sample_sum.expect("a sum"), created);
                    put("_count", None, count as f64, created);
                }
                other => panic!("a value that is not of its type: {other:?}"),
            }
        }
        samples
    }
}
