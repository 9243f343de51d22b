//! The formats as others read them: Python's parser of OpenMetrics, and a Prometheus that knows start timestamps.
//!
//! Needs the Python package `prometheus_client` and a Prometheus 3 in `target/tools`: `scripts/setup python prometheus3`.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use compozy_monitoring::{Config, MonitoringService, metrics};
use poem::Route;

use crate::{
    common::{
        is_long,
        processes::{Prometheus, free_port, percent, until},
        scraped::{OPENMETRICS, TEXT, samples_of, scraped},
        tool,
    },
    formats::{Random, record},
};

/// Reads OpenMetrics and prints a sample a line: name, labels, value. Fails at what it takes for wrong.
const READ: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.buffer.read().decode()):
    for sample in family.samples:
        print(json.dumps([sample.name, sample.labels, repr(float(sample.value))]))
";

#[tokio::test]
async fn the_parser_of_python_reads_the_same_samples_from_openmetrics() {
    let stores = if is_long() { 200 } else { 10 };
    for seed in 0..stores {
        let service = MonitoringService::for_test();
        let mut random = Random(seed);
        service.in_scope(|| {
            (0..random.below(200)).for_each(|_| record(&mut random, true));
            // Names that are another family's without `_total`.
            metrics::gauge!("foreign_taken").set(1);
            metrics::counter!("foreign_taken_total").increment(1);
            metrics::histogram!("foreign_time_seconds").record(0.5);
            metrics::counter!("foreign_time_seconds_total").increment(1);
            metrics::counter!("foreign_time_seconds_count_total").increment(1);
            metrics::gauge!("foreign_born_created").set(1);
            metrics::counter!("foreign_born_total").increment(1);
            metrics::counter!("foreign_made_total").increment(1);
            metrics::counter!("foreign_made_created_total").increment(1);
            metrics::counter!("foreign_twice_total").increment(1);
            metrics::counter!("foreign_twice_total_total").increment(1);
            metrics::counter!("_total").increment(1);
            metrics::gauge!("foreign_gauge_total").set(1);
        });
        let app = service.metrics_endpoint();
        let openmetrics = scraped(&app, OPENMETRICS).await;
        let python = tool("python");
        let mut python = Command::new(python)
            .args(["-c", READ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("scripts/setup python installs it");
        python.stdin.take().expect("piped").write_all(&openmetrics.body).expect("it reads");
        let output = python.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&openmetrics.body);
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
        let mut read = BTreeMap::new();
        for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
            let (name, mut labels, value): (String, BTreeMap<String, String>, String) =
                serde_json::from_str(line).expect("JSON");
            for (label, text) in &mut labels {
                if label == "le" || label == "quantile" {
                    *text = text.parse::<f64>().expect("a number").to_string();
                }
            }
            let value: f64 = value.parse().expect("a number");
            assert!(read.insert((name, labels), value).is_none(), "{line} twice");
        }
        let is_other = |name: &str| name != "compozy_uptime_seconds_total";
        let mut text = samples_of(&scraped(&app, TEXT).await);
        text.retain(|(name, _), _| is_other(name));
        read.retain(|(name, _), _| is_other(name));
        assert_eq!(format!("{read:?}"), format!("{text:?}"), "seed {seed}");
    }
}

compozy_monitoring::families! {
    /// Jobs by the queue that they came through.
    counter JOBS = "compozy_born_jobs_total" { queue: str };
    /// How long they took.
    histogram TOOK = "compozy_born_took_seconds" { queue: str };
    /// With closed sets.
    counter ENDS = "compozy_born_ends_total" { outcome: End { Good = "good", Bad = "bad" } };
}

compozy_monitoring::families! {
    /// From a microsecond to twelve days.
    histogram WIDE = "compozy_native_wide_seconds";
    /// Samples that are no times.
    histogram SPECIAL = "compozy_native_special" buckets [-1.5, 0, 1, 10];
}

/// Quantiles of 10^6 samples from two writers, as a real Prometheus computes them from the native histogram.
#[test]
fn a_prometheus_with_native_histograms_has_the_quantiles_of_the_samples() {
    own_process!();
    let service = MonitoringService::new(Config::default().enabled(true).native_histograms(true)).expect("valid");
    service.register((&WIDE, &SPECIAL));
    let (shortest, longest) = (1e-6_f64, 12.0 * 86_400.0);
    let mut all: Vec<f64> = thread::scope(|scope| {
        let writers = [1, 2].map(|seed| {
            scope.spawn(move || {
                let mut random = Random(seed);
                let sample = |random: &mut Random| {
                    let fraction = random.below(1 << 31) as f64 / f64::from(1u32 << 31);
                    shortest * (longest / shortest).powf(fraction)
                };
                let samples: Vec<f64> = (0..500_000).map(|_| sample(&mut random)).collect();
                samples.iter().for_each(|sample| WIDE.record(*sample));
                samples
            })
        });
        writers.into_iter().flat_map(|writer| writer.join().expect("no panic")).collect()
    });
    all.sort_unstable_by(f64::total_cmp);
    for sample in [0.0, 1e-300, -1.0, 1.0, 5.0, f64::MAX, f64::INFINITY] {
        SPECIAL.record(sample);
    }
    let (_runtime, port) = served(&service);
    let configuration = format!(
        "scrape_configs:\n- job_name: native\n  always_scrape_classic_histograms: true\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    );
    let arguments = ["--enable-feature=native-histograms"];
    let prometheus = Prometheus::started(PROMETHEUS3, "native", &configuration, &arguments);
    until("up", || prometheus.number("sum(up)") == Some(1.0));
    let million = all.len() as f64;
    assert_eq!(prometheus.number("histogram_count(compozy_native_wide_seconds)"), Some(million));
    assert_eq!(prometheus.number("compozy_native_wide_seconds_count"), Some(million));
    assert_eq!(prometheus.number("compozy_native_wide_seconds_bucket{le=\"+Inf\"}"), Some(million));
    for q in [0.5, 0.99, 0.999] {
        let truth = all[(q * million) as usize];
        let quantile =
            prometheus.number(&format!("histogram_quantile({q}, compozy_native_wide_seconds)")).expect("one");
        assert!((quantile / truth - 1.0).abs() < 0.044, "{q}: {quantile} and not {truth}");
        // The classic one ends at 10 s.
        let buckets = format!("histogram_quantile({q}, sum by (le) (compozy_native_wide_seconds_bucket))");
        assert!(prometheus.number(&buckets).expect("one") <= 10.0);
    }
    for (query, expected) in [
        ("histogram_count(compozy_native_special)", 7.0),
        ("compozy_native_special_count", 7.0),
        ("histogram_fraction(-Inf, -0.5, compozy_native_special)", 1.0 / 7.0),
        ("histogram_fraction(-0.5, 0.5, compozy_native_special)", 2.0 / 7.0),
        ("histogram_fraction(1e308, +Inf, compozy_native_special) > bool 0.14", 1.0),
    ] {
        assert_eq!(prometheus.number(query), Some(expected), "{query}");
    }
}

/// As `scripts/setup prometheus3` unpacks it.
const PROMETHEUS3: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/prometheus3/usr/bin/prometheus");

/// Serves the scrape at a port, as long as the runtime is there.
fn served(service: &MonitoringService) -> (tokio::runtime::Runtime, u16) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let port = free_port();
    let app = Route::new().at("/metrics", service.metrics_endpoint());
    runtime.spawn(poem::Server::new(poem::listener::TcpListener::bind(("127.0.0.1", port))).run(app));
    (runtime, port)
}

/// The queries of docs/promql-workflows.md that need native histograms, over jobs of half an hour and of two hours.
#[test]
fn the_page_of_queries_tells_how_long_workflows_of_hours_take() {
    own_process!();
    let page = include_str!("../../../docs/promql-workflows.md");
    let (_, section) = page.split_once("\n## With native histograms").expect("the section");
    let queries: Vec<&str> =
        section.split("```promql\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    let service = MonitoringService::new(Config::default().enabled(true).native_histograms(true)).expect("valid");
    let (_runtime, port) = served(&service);
    let configuration =
        format!("scrape_configs:\n- job_name: hours\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n");
    let prometheus = Prometheus::started(PROMETHEUS3, "hours", &configuration, &["--enable-feature=native-histograms"]);
    let ask = || {
        let numbers = queries.iter().filter_map(|query| prometheus.number(query));
        numbers.filter(|number| number.is_finite()).collect::<Vec<f64>>()
    };
    until("every query has a number", || {
        let took =
            compozy_monitoring::histogram!("compozy_temporal_workflow_duration_seconds", "workflow_type" => "Nightly");
        took.record(1_800.0);
        took.record(7_200.0);
        ask().len() == queries.len()
    });
    let answers = ask();
    let expected = [7_200.0, 0.5, 4_500.0];
    assert_eq!(answers.len(), expected.len());
    for ((query, answer), expected) in queries.iter().zip(answers).zip(expected) {
        assert!((answer / expected - 1.0).abs() < 0.1, "{query}: {answer} and not {expected}");
    }
}

/// Known to every Prometheus: a counter that is born at 7 between two scrapes did not grow.
#[test]
fn increase_is_the_ledger_for_series_that_are_born_between_two_scrapes() {
    own_process!();
    let service = MonitoringService::new(Config::default().enabled(true).created_lines(true)).expect("valid");
    let (_runtime, port) = served(&service);
    let job = |name: &str, protocol: &str| {
        format!(
            "- job_name: {name}\n  scrape_protocols: [{protocol}]\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
        )
    };
    let jobs =
        [("protobuf", "PrometheusProto"), ("openmetrics", "OpenMetricsText1.0.0"), ("text", "PrometheusText0.0.4")];
    let configuration = jobs.map(|(name, protocol)| job(name, protocol)).concat();
    let arguments = ["--enable-feature=created-timestamp-zero-ingestion"];
    let prometheus = Prometheus::started(PROMETHEUS3, "born", &format!("scrape_configs:\n{configuration}"), &arguments);
    until("up", || prometheus.number("sum(up)") == Some(3.0));

    // Born between two scrapes, at once with what they count; some are removed and born again.
    let mut ledger: BTreeMap<String, u64> = BTreeMap::new();
    let rounds = 12;
    for round in 0..rounds {
        let queue = format!("q{round}");
        let count = 7 + round;
        JOBS.with(&queue).increment(count);
        TOOK.with(&queue).record_many(0.3, count as usize);
        ledger.insert(queue, count);
        thread::sleep(Duration::from_millis(350));
    }
    ENDS.with(End::Good).increment(5);
    let jobs_total: u64 = ledger.values().sum();
    let good = 5.0;
    let is_there = |job: &str| {
        let sum = |name: &str| prometheus.number(&format!("sum({name}{{job=\"{job}\"}})"));
        sum("compozy_born_jobs_total") == Some(jobs_total as f64)
            && sum("compozy_born_took_seconds_count") == Some(jobs_total as f64)
            && sum("compozy_born_ends_total") == Some(good)
    };
    until("everything is scraped", || jobs.iter().all(|(job, _)| is_there(job)));

    // At the moment of a sample, so that nothing is extrapolated behind it; before the first there is 0.
    let increase = |series: &str| {
        let at = prometheus.number(&format!("timestamp({series})"))?;
        prometheus.number_at(&format!("increase({series}[1h])"), at)
    };
    for job in ["protobuf", "openmetrics"] {
        for (queue, count) in &ledger {
            for name in ["compozy_born_jobs_total", "compozy_born_took_seconds_count"] {
                let series = format!("{name}{{job=\"{job}\",queue=\"{queue}\"}}");
                let increase = increase(&series).unwrap_or(f64::NAN);
                let all = || prometheus.api(&format!("/api/v1/query?query={}", percent(&format!("{series}[1h]"))));
                assert!((increase - *count as f64).abs() < 1e-6, "{series}: {increase} and not {count}: {}", all());
            }
            let series = format!("compozy_born_took_seconds_bucket{{job=\"{job}\",queue=\"{queue}\",le=\"0.5\"}}");
            assert!((increase(&series).unwrap_or(f64::NAN) - *count as f64).abs() < 1e-6, "{series}");
        }
        let series = format!("compozy_born_ends_total{{job=\"{job}\",outcome=\"good\"}}");
        assert!((increase(&series).unwrap_or(f64::NAN) - good).abs() < 1e-6, "{series}");
    }
    // The text says nothing of when: all that was counted before the first scrape is lost.
    for queue in ledger.keys() {
        let series = format!("compozy_born_jobs_total{{job=\"text\",queue=\"{queue}\"}}");
        assert!(increase(&series).unwrap_or(0.0) < 1e-6, "{series}");
    }
    // The lines were read as times, and not stored.
    assert_eq!(prometheus.number("count({__name__=~\"compozy_born_.*_created\"})"), None);
    // A bound has one name, whatever the format.
    let bounds = |job: &str| {
        let series = percent(&format!("compozy_born_took_seconds_bucket{{job=\"{job}\"}}"));
        prometheus.api(&format!("/api/v1/label/le/values?match[]={series}")).to_string()
    };
    assert_eq!(bounds("protobuf"), bounds("openmetrics"));
    assert_eq!(bounds("protobuf"), bounds("text"));
    assert!(bounds("protobuf").contains("\"1.0\""), "{}", bounds("protobuf"));
}
