//! The formats of a scrape: the same samples in all of them, whoever asks.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use std::collections::BTreeMap;

use compozy_monitoring::{Config, MonitoringService, metrics};
use poem::{
    Endpoint, EndpointExt, Request,
    http::{Method, header},
};

use crate::common::{
    is_long, log_of,
    metric_family::{self, Series},
    scraped::{OPENMETRICS, PROTOBUF, Scraped, TEXT, samples_of, scraped},
};

compozy_monitoring::families! {
    /// Closed sets; "quoted" \.
    counter CLOSED = "compozy_formats_closed_total" { outcome: Outcome { Good = "good", Bad = "bad" } };
    /// Free text.
    counter TEXTS = "compozy_formats_texts_total" { queue: str };
    /// Seconds.
    histogram TIME = "compozy_formats_time_seconds" { queue: str };
    /// Bounds of its own, some below zero and some that are written with an exponent.
    histogram OWN = "compozy_formats_own" buckets [-1.5, 0, 1, 0.00001e6, 2.5e6, 1e15] { outcome: Outcome };
    /// A level.
    gauge LEVEL = "compozy_formats_level" { queue: str };
    /// Without labels.
    counter PLAIN = "compozy_formats_plain_total";
}

/// Numbers that look random.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

const VALUES: [&str; 10] = ["", "x", "a\"b", "\\", "a\\\\n", "line\nbreak", "é🦀", "},x=\"", "other", "{a=\"b\"}"];
/// What OpenMetrics has in a sum.
const POSITIVE: [f64; 9] = [0.0, 1.0, 0.005, 0.3, 10.0, 1e6, 1e300, 5e-324, f64::INFINITY];
const OTHERS: [f64; 5] = [-0.0, -1.0, -2.5e7, f64::NAN, f64::NEG_INFINITY];

/// One record of anything; if it is `strict`, of what OpenMetrics has a form for.
pub fn record(random: &mut Random, strict: bool) {
    let value = random.one_of(&VALUES);
    let number = if strict || random.below(3) > 0 { random.one_of(&POSITIVE) } else { random.one_of(&OTHERS) };
    let outcome = random.one_of(&[Outcome::Good, Outcome::Bad]);
    let by = random.one_of(&[1, 7, 127, 128, 1 << 40, u64::MAX / 3]);
    match random.below(14) {
        0 => CLOSED.with(outcome).increment(by),
        1 => TEXTS.with(value).increment(by),
        2 => TIME.with(value).record(number),
        3 if !strict => OWN.with(outcome).record_many(number, random.below(300) as usize),
        4 => LEVEL.with(value).set(number),
        5 => PLAIN.increment(by),
        6 => metrics::counter!("foreign_formats", "a" => value, "b" => "2").increment(by),
        7 => metrics::counter!("foreign_formats_total", "le" => value).increment(by),
        8 => metrics::histogram!("foreign_formats_size", "quantile" => value).record(number),
        9 => metrics::histogram!("foreign_formats_bytes", "a" => value).record(number),
        10 => metrics::gauge!("foreign_formats_total_gauge", "a" => value).set(number),
        11 => metrics::counter!("foreign_formats_size_count_total").increment(by),
        12 => TEXTS.remove(value),
        _ => CLOSED.clear(),
    }
}

/// NaN is NaN here.
fn bits(samples: &BTreeMap<Series, f64>) -> BTreeMap<&Series, u64> {
    samples.iter().map(|(series, value)| (series, if value.is_nan() { u64::MAX } else { value.to_bits() })).collect()
}

#[tokio::test]
async fn every_format_has_the_same_samples() {
    let stores = if is_long() { 2_000 } else { 60 };
    for seed in 0..stores {
        let service = MonitoringService::for_test();
        let mut random = Random(seed);
        service.in_scope(|| (0..random.below(200)).for_each(|_| record(&mut random, false)));
        let app = service.metrics_endpoint();
        let mut all = Vec::new();
        for accept in [TEXT, OPENMETRICS, PROTOBUF] {
            let mut samples = samples_of(&scraped(&app, accept).await);
            samples.retain(|(name, _), _| name != "compozy_uptime_seconds_total");
            all.push(samples);
        }
        let [text, openmetrics, protobuf] = &all[..] else { unreachable!("three") };
        assert!(text.len() >= 5, "{text:?}");
        assert_eq!(bits(text), bits(openmetrics), "seed {seed}");
        assert_eq!(bits(text), bits(protobuf), "seed {seed}");
    }
}

#[tokio::test]
async fn families_are_described_alike_in_every_format() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        CLOSED.with(Outcome::Good).increment(1);
        TIME.with("q").record(0.5);
        LEVEL.with("q").set(1);
        metrics::describe_counter!("foreign_formats", "one\nbreak");
        metrics::counter!("foreign_formats").increment(1);
        metrics::histogram!("foreign_formats_size").record(0.5);
        metrics::gauge!("foreign_taken").set(1);
        metrics::counter!("foreign_taken_total").increment(1);
    });
    let app = service.metrics_endpoint();
    let Scraped { body, .. } = scraped(&app, OPENMETRICS).await;
    let text = String::from_utf8(body).expect("UTF-8");
    for lines in [
        "# HELP compozy_formats_closed Closed sets; \\\"quoted\\\" \\\\.\n# TYPE compozy_formats_closed counter\n\
         compozy_formats_closed_total{outcome=\"bad\"} 0\n",
        "# TYPE compozy_formats_time_seconds histogram\n# UNIT compozy_formats_time_seconds seconds\n\
         compozy_formats_time_seconds_bucket{queue=\"q\",le=\"0.005\"} 0\n",
        "compozy_formats_time_seconds_bucket{queue=\"q\",le=\"1.0\"} 1\n",
        "# TYPE compozy_uptime_seconds counter\n# UNIT compozy_uptime_seconds seconds\ncompozy_uptime_seconds_total ",
        "# HELP foreign_formats one\\nbreak\n# TYPE foreign_formats unknown\nforeign_formats 1\n",
        "# TYPE foreign_formats_size summary\nforeign_formats_size{quantile=\"0.0\"} ",
        "# TYPE foreign_taken gauge\nforeign_taken 1\n",
        "# TYPE foreign_taken_total unknown\nforeign_taken_total 1\n# EOF\n",
    ] {
        assert!(text.contains(lines), "{lines}\nis not in\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n") && !text.contains("_created"), "{text}");

    let Scraped { body, .. } = scraped(&app, PROTOBUF).await;
    let families = metric_family::families(&body);
    let family = |name: &str| families.iter().find(|family| family.name.as_deref() == Some(name)).expect("a family");
    let described = |name: &str| {
        let family = family(name);
        (family.help.as_deref().expect("help"), family.r#type, family.unit.as_deref())
    };
    for (name, expected) in [
        ("compozy_formats_closed_total", ("Closed sets; \"quoted\" \\.", Some(0), None)),
        ("compozy_formats_time_seconds", ("Seconds.", Some(4), Some("seconds"))),
        ("compozy_formats_level", ("A level.", Some(1), None)),
        ("foreign_formats", ("one\nbreak", Some(0), None)),
        ("foreign_formats_size", ("Not described", Some(2), None)),
    ] {
        assert_eq!(described(name), expected, "{name}");
    }
    assert_eq!(family("compozy_uptime_seconds_total").unit.as_deref(), Some("seconds"));
    let names: Vec<_> = families.iter().map(|family| family.name.clone()).collect();
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}

#[tokio::test]
async fn the_answer_says_its_format_and_what_decided() {
    let service = MonitoringService::for_test();
    let app = service.metrics_endpoint().map_to_response();
    for (accept, content_type) in [
        (TEXT, "text/plain; version=0.0.4; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (PROTOBUF, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"),
    ] {
        let request = |method: Method, encoding: &str| {
            let request = Request::builder().method(method).uri_str("/metrics").header(header::ACCEPT, accept);
            request.header(header::ACCEPT_ENCODING, encoding).finish()
        };
        for encoding in ["identity", "gzip"] {
            let got = app.get_response(request(Method::GET, encoding)).await;
            assert_eq!(got.content_type(), Some(content_type));
            assert_eq!(got.header("vary"), Some("Accept, Accept-Encoding"));
            let length = got.header("content-length").expect("a length").to_owned();
            let body = got.into_body().into_vec().await.expect("a body");
            assert_eq!(body.len().to_string(), length);
            assert_eq!(body.starts_with(&[0x1f, 0x8b]), encoding == "gzip");
            let head = app.get_response(request(Method::HEAD, encoding)).await;
            assert_eq!(head.content_type(), Some(content_type));
            assert!(head.into_body().into_vec().await.expect("a body").is_empty());
        }
    }
}

#[tokio::test]
async fn constant_labels_are_in_every_format() {
    own_process!();
    let labels = [("zone", "eu-1\"a\\"), ("app", "shop")];
    let service = MonitoringService::new(Config::default().enabled(true).constant_labels(labels)).expect("valid");
    CLOSED.with(Outcome::Good).increment(1);
    TIME.with("q").record(0.1);
    LEVEL.with("q").set(1);
    metrics::histogram!("foreign_formats_size", "x" => "1").record(1.0);
    metrics::counter!("foreign_formats_total", "app" => "theirs").increment(1);
    let app = service.metrics_endpoint();
    for accept in [TEXT, OPENMETRICS, PROTOBUF] {
        let samples = samples_of(&scraped(&app, accept).await);
        for (name, labels) in samples.keys() {
            let shop = if name == "foreign_formats_total" { "theirs" } else { "shop" };
            let own = ["app", "zone"].map(|name| labels.get(name).map(String::as_str));
            assert_eq!(own, [Some(shop), Some("eu-1\"a\\")], "{name}");
        }
        assert!(samples.len() > 30, "{samples:?}");
    }
}

/// Since when each series of this family counts, in milliseconds since 1970, by its labels.
async fn created(app: &impl Endpoint, name: &str) -> BTreeMap<String, i64> {
    let families = metric_family::families(&scraped(app, PROTOBUF).await.body);
    let family = families.iter().find(|family| family.name.as_deref() == Some(name)).expect("a family");
    let samples = family.samples().into_iter();
    samples.map(|((_, labels), _, created)| (format!("{labels:?}"), created.expect("a time"))).collect()
}

/// What a series that is made now says of its start: a moment earlier, so that no scrape that is on its way is before it.
fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_millis()).expect("not in this century") - 250
}

#[tokio::test]
async fn a_series_counts_since_it_was_made_and_after_a_removal_anew() {
    let service = MonitoringService::for_test();
    let app = service.metrics_endpoint();
    let families = [
        "compozy_formats_closed_total",
        "compozy_formats_texts_total",
        "compozy_formats_time_seconds",
        "compozy_formats_own",
        "foreign_formats_total",
        "foreign_formats_size",
        "foreign_formats_seconds",
    ];
    let count = |queue: &'static str| {
        service.in_scope(|| {
            CLOSED.with(Outcome::Good).increment(1);
            TEXTS.with(queue).increment(1);
            TIME.with(queue).record(0.5);
            OWN.with(Outcome::Bad).record(1);
            metrics::counter!("foreign_formats_total", "q" => queue).increment(1);
            metrics::histogram!("foreign_formats_size", "q" => queue).record(0.5);
            metrics::histogram!("foreign_formats_seconds", "q" => queue).record(0.5);
        });
    };
    let pause = || std::thread::sleep(std::time::Duration::from_millis(5));
    let before = now();
    count("a");
    let after = now();
    let mut first = BTreeMap::new();
    for name in families {
        let times = created(&app, name).await;
        assert!(times.values().all(|time| (before..=after).contains(time)), "{name}: {times:?}, {before} to {after}");
        first.insert(name, times);
    }
    pause();
    count("a");
    count("b");
    for name in families {
        let times = created(&app, name).await;
        for (labels, time) in &first[name] {
            assert_eq!(times.get(labels), Some(time), "{name}{labels}");
        }
        let born: Vec<_> = times.iter().filter(|(labels, _)| !first[name].contains_key(*labels)).collect();
        assert!(born.iter().all(|(_, time)| **time > after), "{name}: {born:?}, after {after}");
        assert_eq!(born.is_empty(), ["closed", "own"].iter().any(|closed| name.contains(closed)), "{name}");
    }
    // Removed and counted again: from 0, and since then.
    let kept = service.in_scope(|| TEXTS.with("a"));
    service.in_scope(|| {
        CLOSED.clear();
        TEXTS.remove("a");
        TIME.clear();
        OWN.remove(Outcome::Bad);
    });
    let removed = now();
    pause();
    service.in_scope(|| kept.increment(1));
    count("a");
    for (name, labels) in [
        ("compozy_formats_closed_total", r#"{"outcome": "good"}"#),
        ("compozy_formats_texts_total", r#"{"queue": "a"}"#),
        ("compozy_formats_time_seconds", r#"{"queue": "a"}"#),
        ("compozy_formats_own", r#"{"outcome": "bad"}"#),
    ] {
        assert!(created(&app, name).await[labels] > removed, "{name}");
    }
    let other = created(&app, "compozy_formats_own").await[r#"{"outcome": "good"}"#];
    assert!((before..=after).contains(&other), "it was not removed");
}

#[tokio::test]
async fn a_service_that_goes_on_counts_since_its_series_were_made() {
    own_process!();
    let start = || MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let service = start();
    TEXTS.with("a").increment(1);
    CLOSED.with(Outcome::Good).increment(1);
    let times = async |service: &MonitoringService| {
        let app = service.metrics_endpoint();
        (created(&app, "compozy_formats_texts_total").await, created(&app, "compozy_formats_closed_total").await)
    };
    let before = times(&service).await;
    service.shutdown();
    drop(service);
    std::thread::sleep(std::time::Duration::from_millis(5));
    let service = start();
    TEXTS.with("a").increment(1);
    assert_eq!(times(&service).await, before, "its counters go on");
}

/// The histogram of the first series of a family in protobuf.
async fn histogram_of(app: &impl Endpoint, name: &str) -> metric_family::Histogram {
    let families = metric_family::families(&scraped(app, PROTOBUF).await.body);
    let family = families.iter().find(|family| family.name.as_deref() == Some(name)).expect("a family");
    family.metric[0].histogram.clone().expect("a histogram")
}

#[test]
fn native_histograms_are_there_on_request_and_have_the_samples_of_the_classic_ones() {
    own_process!();
    let service = MonitoringService::new(Config::default().enabled(true).native_histograms(true)).expect("valid");
    service.register(&OWN);
    let app = service.metrics_endpoint();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let histogram = |name: &str| runtime.block_on(histogram_of(&app, name));
    let nothing = histogram("compozy_formats_own");
    assert_eq!((nothing.schema, nothing.zero_threshold, nothing.zero_count), (Some(3), Some(2f64.powi(-31)), Some(0)));
    let samples = [0.0, -0.0, 5e-324, 1e-10, 1.0, 1.05, 1.0, -1.5, -1.6, 3.0, 1e9, 1e300, f64::NAN];
    samples.iter().for_each(|sample| OWN.with(Outcome::Bad).record(*sample));
    OWN.with(Outcome::Bad).record_many(f64::INFINITY, 5);
    OWN.with(Outcome::Bad).record(f64::NEG_INFINITY);
    let own = histogram("compozy_formats_own");
    // By logarithm: bucket i ends at 2^(i/8). 3.0 is 2^(12.68/8), 1e9 2^(239.2/8), 1e300 2^(7972.6/8).
    let positive = [(0, 2), (1, 1), (13, 1), (240, 1), (7_973, 1), (8_193, 5)];
    let negative = [(5, 1), (6, 1), (8_193, 1)];
    assert_eq!(own.zero_count, Some(4));
    assert_eq!(own.native(), [BTreeMap::from(negative), BTreeMap::from(positive)]);
    assert_eq!(own.sample_count, Some(18));
    let classic: Vec<_> = own.bucket.iter().map(|bucket| bucket.cumulative_count.expect("a count")).collect();
    assert_eq!(classic, [3, 5, 9, 11, 11, 12]);
    // At any moment, beside two writers.
    TIME.with("q").record(0.5);
    std::thread::scope(|scope| {
        let writers = [1, 2].map(|seed| {
            scope.spawn(move || {
                let mut random = Random(seed);
                (0..100_000).for_each(|_| TIME.with("q").record(1e-6 * 1.1f64.powi(random.below(290) as i32)));
            })
        });
        loop {
            let is_over = writers.iter().all(std::thread::ScopedJoinHandle::is_finished);
            let time = histogram("compozy_formats_time_seconds");
            let [negative, positive] = time.native();
            let native = positive.values().sum();
            assert_eq!((time.sample_count, time.zero_count, negative.len()), (Some(native), Some(0), 0));
            if is_over {
                break assert_eq!(native, 200_001);
            }
        }
    });
}

#[tokio::test]
async fn nobody_gets_native_histograms_who_did_not_ask_for_them() {
    let service = MonitoringService::for_test();
    service.in_scope(|| TIME.with("q").record(0.5));
    let histogram = histogram_of(&service.metrics_endpoint(), "compozy_formats_time_seconds").await;
    assert_eq!((histogram.sample_count, histogram.schema, histogram.zero_threshold), (Some(1), None, None));
    assert!(histogram.positive_span.is_empty() && histogram.positive_delta.is_empty());
}

#[test]
fn created_lines_are_there_on_request_and_only_then() {
    own_process!();
    let before = now();
    let service = MonitoringService::new(Config::default().enabled(true).created_lines(true)).expect("valid");
    let log = log_of(|| {
        CLOSED.with(Outcome::Good).increment(1);
        TIME.with("q").record(0.5);
        LEVEL.with("q").set(1);
        metrics::counter!("foreign_formats").increment(1);
        metrics::histogram!("foreign_formats_size", "a" => "1").record(0.5);
        // Whose names the lines would take.
        metrics::histogram!("foreign_taken").record(0.5);
        metrics::gauge!("foreign_taken_created").set(1);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let app = service.metrics_endpoint();
            let text = String::from_utf8(scraped(&app, OPENMETRICS).await.body).expect("UTF-8");
            let lines: Vec<&str> =
                text.lines().filter(|line| line.contains("_created") && !line.starts_with('#')).collect();
            let time = |series: &str| {
                let line = lines.iter().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
                let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
                assert!(line.len() == 14 && line.find('.') == Some(10), "{line}: seconds and milliseconds");
                line.parse::<f64>().expect("a number")
            };
            for series in [
                r#"compozy_formats_closed_created{outcome="good"}"#,
                r#"compozy_formats_time_seconds_created{queue="q"}"#,
                r#"foreign_formats_size_created{a="1"}"#,
                "compozy_monitoring_errors_created",
            ] {
                let time = time(series);
                assert!((before as f64 / 1e3..=now() as f64 / 1e3).contains(&time), "{series} {time}");
            }
            assert!(!text.contains("level_created") && !text.contains("foreign_formats_created"), "{text}");
            assert_eq!(lines.iter().filter(|line| line.starts_with("foreign_taken_created")).count(), 1);
            // The line follows the samples of its metric.
            let metric =
                "compozy_formats_closed_total{outcome=\"good\"} 1\ncompozy_formats_closed_created{outcome=\"good\"} ";
            assert!(text.contains(metric), "{text}");
            for accept in [TEXT, PROTOBUF] {
                let samples = samples_of(&scraped(&app, accept).await);
                assert!(samples.keys().all(|(name, _)| !name.ends_with("_created") || name == "foreign_taken_created"));
            }
        });
        service.shutdown();
    });
    assert!(!log.contains("ERROR"), "{log}");
    // The next service of the process has its own setting.
    let service = MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let text = runtime.block_on(async { scraped(&service.metrics_endpoint(), OPENMETRICS).await.body });
    assert_eq!(String::from_utf8(text).expect("UTF-8").matches("_created ").count(), 3, "a sample and its description");
}
