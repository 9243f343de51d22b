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
