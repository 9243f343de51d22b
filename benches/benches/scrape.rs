//! What a scrape costs as series grow, and what memory unscraped samples take; the peer is `metrics-exporter-prometheus`
//! with the same series and samples. Ends with lines `ratio NAME VALUE TARGET ok|short|inconclusive`; VALUE is a ratio
//! of times, or MiB.
//!
//! `-- --soak SECONDS` instead records 100,000 foreign samples a second and shows the memory of the process as it goes.

use std::{
    alloc::System,
    env,
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use compozy_monitoring::{Config, MonitoringService, histogram};
use compozy_monitoring_benches::{Round, Target, allocations::Counting};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

compozy_monitoring::families! {
    /// As many series as are asked for.
    counter SERIES = "compozy_bench_series_total" { tenant: str, queue: str };
    /// For samples that nobody scrapes.
    histogram SAMPLES = "compozy_bench_samples_seconds" { queue: str };
}

const FEW: usize = 10_000;
const MANY: usize = 100_000;
const DECLARED_SAMPLES: usize = 100_000_000;
/// 100 seconds of 100,000 a second.
const FOREIGN_SAMPLES: usize = 10_000_000;
const RATE: usize = 100_000;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--soak") {
        soak(args.get(at + 1).and_then(|seconds| seconds.parse().ok()).unwrap_or(70));
        return ExitCode::SUCCESS;
    }
    compozy_monitoring_benches::run(|round| {
        let config = Config::default().enabled(true).series_cap(2 * MANY);
        let Ok(service) = MonitoringService::new(config) else { return };
        assert!(service.is_enabled(), "something else is the process's recorder");
        memory(round);
        scrape(round, &service);
        formats(round);
    })
}

/// MiB that this process has in memory.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or(f64::NAN) * 4096.0 / f64::from(1 << 20)
}

/// From a microsecond to a quarter of an hour: nine decades, so that a sketch gets all the bins that it can.
fn sample(i: usize) -> f64 {
    1e-6 * 10f64.powf((i % 9_000) as f64 / 1_000.0)
}

/// Growth over so many samples.
fn growth(samples: usize, mut record: impl FnMut(f64)) -> f64 {
    let values = black_box(std::array::from_fn::<f64, 9_000, _>(sample));
    values.iter().for_each(|value| record(*value));
    let before = resident();
    for i in 0..samples {
        record(values[i % values.len()]);
    }
    resident() - before
}

fn memory(round: &Round) {
    let scale = if round.is_smoke() { 1_000 } else { 1 };
    if round.times("memory/declared-100-million") {
        let grown = growth(DECLARED_SAMPLES / scale, |value| SAMPLES.with("q").record(value));
        round.value("memory/declared-100-million", "MiB", Target::most(0.25), grown, [grown, f64::NAN]);
    }
    if round.times("memory/foreign-10-million") {
        let samples = FOREIGN_SAMPLES / scale;
        let summary = growth(samples, |value| histogram!("foreign_latency").record(value));
        let buckets = growth(samples, |value| histogram!("foreign_latency_seconds").record(value));
        let exporter = PrometheusBuilder::new().build_recorder();
        let handle = metrics::with_local_recorder(&exporter, || metrics::histogram!("foreign_latency"));
        let peer = growth(samples, |value| handle.record(value));
        round.value(
            "memory/foreign-10-million",
            "MiB",
            Target::most(1.0),
            summary + buckets,
            [summary + buckets, peer],
        );
    }
}

/// The labels of one series, as an application has them.
fn labels(i: usize) -> [String; 2] {
    [format!("tenant-{}", i / 10), format!("queue-{}", i % 10)]
}

fn register(range: std::ops::Range<usize>, exporter: &PrometheusRecorder) {
    metrics::with_local_recorder(exporter, || {
        for i in range {
            let [tenant, queue] = labels(i);
            SERIES.with(&tenant, &queue).increment(i as u64 + 1);
            metrics::counter!("compozy_bench_series_total", "tenant" => tenant, "queue" => queue)
                .increment(i as u64 + 1);
        }
    });
}

fn scrape(round: &Round, service: &MonitoringService) {
    if !round.times("scrape/10000") && !round.times("scrape/100000") && !round.times("scrape/linear") {
        return;
    }
    let target = Target::most(1.0 / 10.0);
    let exporter = PrometheusBuilder::new().build_recorder();
    let handle = exporter.handle();
    let scale = if round.is_smoke() { 100 } else { 1 };
    let time = |pairs: usize| {
        let mut nanos: Vec<f64> = (0..pairs)
            .map(|_| {
                let start = Instant::now();
                let _ = black_box(service.render());
                start.elapsed().as_secs_f64() * 1e9
            })
            .collect();
        nanos.sort_unstable_by(f64::total_cmp);
        nanos[nanos.len() / 2]
    };
    register(0..FEW / scale, &exporter);
    round.slow_pair("scrape/10000", target, 9, || _ = black_box(service.render()), || _ = black_box(handle.render()));
    let few = time(9) / FEW as f64;
    register(FEW / scale..MANY / scale, &exporter);
    round.slow_pair("scrape/100000", target, 3, || _ = black_box(service.render()), || _ = black_box(handle.render()));
    let many = time(5) / MANY as f64;
    // Nanoseconds a series. Sorting, and caches that are too small, are what a straight line does not have.
    round.value("scrape/linear", "ratio", Target::most(2.0), many / few, [many, few]);
    assert!(service.render().contains("compozy_bench_series_total{queue=\"queue-9\",tenant=\"tenant-9\"} 100"));
}

/// How the formats are asked for.
const ACCEPT: [(&str, &str); 3] = [
    ("text", "text/plain"),
    ("openmetrics", "application/openmetrics-text;version=1.0.0"),
    ("protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"),
];

/// The bytes of a scrape in this format, as a tower service answers it.
fn scraped(runtime: &tokio::runtime::Runtime, service: &MonitoringService, accept: &'static str) -> usize {
    use tower_service::Service;
    let mut request = http::Request::new(());
    request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static(accept));
    let Ok(answer) = runtime.block_on(service.metrics_service().call(request));
    http_body::Body::size_hint(answer.body()).lower() as usize
}

/// Each format beside the text, of 10,000 counters and of the 10,000 series of an HTTP server: 667 sets of labels, each with a
/// counter and the 14 series of a histogram. The peer's protobuf is there with the feature `protobuf`, which needs `protoc`.
fn formats(round: &Round) {
    if !round.times("scrape/counters") && !round.times("scrape/server") {
        return;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    let scale = if round.is_smoke() { 100 } else { 1 };
    for (rows, sets) in [("counters", FEW / scale), ("server", FEW / 15 / scale)] {
        let service = MonitoringService::for_test();
        let exporter = PrometheusBuilder::new().set_buckets(&BOUNDS).unwrap_or_default().build_recorder();
        let handle = exporter.handle();
        let record = |i: usize| {
            let [tenant, queue] = labels(i);
            // Families are capped: ten of them have all.
            let count = |family: usize| format!("compozy_bench_series_{family}_total");
            let family = i % 10;
            // label-lint: allow(unresolved-name) ten families of one size
            metrics::counter!(count(family), "tenant" => tenant.clone(), "queue" => queue.clone())
                .increment(i as u64 + 1);
            if rows == "server" {
                metrics::histogram!("compozy_bench_requests_seconds", "tenant" => tenant, "queue" => queue)
                    .record_many(sample(i), i % 1_000 + 1);
            }
        };
        service.in_scope(|| (0..sets).for_each(record));
        metrics::with_local_recorder(&exporter, || (0..sets).for_each(record));
        let bytes = ACCEPT.map(|(_, accept)| scraped(&runtime, &service, accept));
        for (i, (format, accept)) in ACCEPT.into_iter().enumerate().skip(1) {
            let most = if format == "protobuf" { Target::most(1.0) } else { Target::none() };
            let ours = || _ = black_box(scraped(&runtime, &service, accept));
            let text = || _ = black_box(scraped(&runtime, &service, ACCEPT[0].1));
            round.slow_pair(&format!("scrape/{rows}/{format}"), most, 9, ours, text);
            // Half of the text is what a server's series have to be.
            let half = if format == "protobuf" && rows == "server" { Target::most(0.5) } else { Target::none() };
            let [own, text] = [bytes[i] as f64, bytes[0] as f64];
            round.value(&format!("scrape/{rows}/{format}/bytes"), "ratio", half, own / text, [own, text]);
        }
        let ours = || _ = black_box(scraped(&runtime, &service, ACCEPT[2].1));
        #[cfg(feature = "protobuf")]
        {
            let row = format!("scrape/{rows}/protobuf/exporter");
            round.slow_pair(&row, Target::most(1.0), 9, ours, || _ = black_box(handle.render_protobuf()));
            let [own, peer] = [bytes[2] as f64, handle.render_protobuf().len() as f64];
            round.value(&format!("{row}/bytes"), "ratio", Target::none(), own / peer, [own, peer]);
        }
        #[cfg(not(feature = "protobuf"))]
        let _ = (ours, handle);
    }
}

/// The bounds of seconds, for the exporter.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A rate, held for so long, without a scrape.
fn soak(seconds: u64) {
    let Ok(service) = MonitoringService::new(Config::default().enabled(true)) else { return };
    let record = |value: f64| {
        histogram!("foreign_latency").record(value);
        histogram!("foreign_latency_seconds").record(value);
    };
    (0..9_000).for_each(|i| record(sample(i)));
    let (start, before) = (Instant::now(), resident());
    println!("| seconds | samples | MiB more than at the start |\n|---|---|---|\n| 0 | 0 | 0 |");
    let (mut samples, mut shown) = (0, 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        for i in 0..RATE / 200 {
            record(sample(samples + i * 7));
        }
        samples += RATE / 100;
        let due = Duration::from_secs_f64(samples as f64 / RATE as f64);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        if start.elapsed().as_secs() >= shown + 10 {
            shown += 10;
            println!("| {shown} | {samples} | {:.2} |", resident() - before);
        }
    }
    assert!(service.render().contains("foreign_latency_seconds_count"));
}
