//! What a record costs on 1, 2, 4 and more threads at once, all on one series, ours and the peers, and what the middleware adds to
//! a request of poem in process. A program of its own that can be carried to a machine with more cores as one file:
//!
//! ```sh
//! cargo bench -p compozy-monitoring-benches --bench scaling
//! ```
//!
//! Nanoseconds a record and thread: the median of several batches. In each batch the threads begin together and end alone; the
//! sides of a row take turns. On two cores it takes less than a minute. Ends with lines `growth NAME VALUE`: what a record costs
//! on all cores over what it costs on one.

use std::{
    alloc::System,
    hint::black_box,
    pin::pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
    time::Duration,
};

use compozy_monitoring::{Config, MonitoringService};
use compozy_monitoring_benches::{allocations::Counting, samples, together};
use measured::metric::histogram::Thresholds;
use poem::{Endpoint, EndpointExt, Request, Response, Route, get, handler, http::Uri, web::Path};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

compozy_monitoring::families! {
    /// One series.
    counter COUNTER = "compozy_scaling_total";
    /// One series.
    histogram HISTOGRAM = "compozy_scaling_seconds";
    /// Changed by hand.
    gauge GAUGE = "compozy_scaling_level";
    /// Changed by guards.
    gauge GUARDS = "compozy_scaling_guards";
}

const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// How long a batch takes about.
const BATCH: Duration = Duration::from_millis(8);
const BATCHES: usize = 21;

type Op<'a> = &'a (dyn Fn(usize, usize) + Sync);

fn main() -> ExitCode {
    // `cargo test --benches` only wants to know whether it runs.
    let is_smoke = !std::env::args().any(|arg| arg == "--bench");
    let service = match MonitoringService::new(Config::default().enabled(true)) {
        Ok(service) if service.is_enabled() => service,
        other => {
            eprintln!("scaling: monitoring does not start: {other:?}");
            return ExitCode::FAILURE;
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut threads: Vec<usize> = std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|n| *n < cores).collect();
    threads.push(cores);
    println!("machine: {}, {cores} cores\n", processor());
    println!("| ns a record and thread | {} |", threads.iter().map(usize::to_string).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(threads.len()));

    let table = Table { threads, batches: if is_smoke { 1 } else { BATCHES }, is_smoke };
    let growth = rows(&table, &service);
    println!();
    for (name, growth) in growth {
        println!("growth {} {growth:.3}", name.replace(", ", "-").replace(' ', "-"));
    }
    // What was timed did record, all of it.
    let snapshot = service.snapshot();
    let at_rest = ["compozy_scaling_guards", "compozy_http_requests_in_flight"];
    if snapshot.total("compozy_scaling_total") == 0.0 || at_rest.iter().any(|name| snapshot.total(name) != 0.0) {
        eprintln!("scaling: wrong numbers:\n{}", service.render());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What the kernel calls the processor.
fn processor() -> String {
    let all = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = all.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

struct Table {
    threads: Vec<usize>,
    batches: usize,
    is_smoke: bool,
}

impl Table {
    /// One line of the table for each side, and how its cost grows.
    fn rows(&self, sides: &[(&str, Op<'_>)]) -> Vec<(String, f64)> {
        let columns: Vec<Vec<f64>> = self.threads.iter().map(|threads| self.column(*threads, sides)).collect();
        sides
            .iter()
            .enumerate()
            .map(|(side, (name, _))| self.line(name, columns.iter().map(|c| c[side]).collect()))
            .collect()
    }

    /// What the first side takes more than the second.
    fn added(&self, name: &str, with: Op<'_>, without: Op<'_>) -> (String, f64) {
        let sides = [("", with), ("", without)];
        let added = |threads: &usize| self.column(*threads, &sides).windows(2).map(|pair| pair[0] - pair[1]).sum();
        self.line(name, self.threads.iter().map(added).collect())
    }

    fn line(&self, name: &str, costs: Vec<f64>) -> (String, f64) {
        println!("| {name} | {} |", costs.iter().map(|ns| format!("{ns:.1}")).collect::<Vec<_>>().join(" | "));
        (name.to_owned(), costs[costs.len() - 1] / costs[0])
    }

    /// The medians of all sides on so many threads.
    fn column(&self, threads: usize, sides: &[(&str, Op<'_>)]) -> Vec<f64> {
        let sizes: Vec<usize> = sides.iter().map(|(_, op)| self.size(threads, *op)).collect();
        let mut batches = vec![Vec::new(); sides.len()];
        for _ in 0..self.batches {
            for ((batches, (_, op)), size) in batches.iter_mut().zip(sides).zip(&sizes) {
                batches.push(together(threads, *size, *op));
            }
        }
        batches
            .into_iter()
            .map(|mut batches| {
                batches.sort_unstable_by(f64::total_cmp);
                batches[batches.len() / 2]
            })
            .collect()
    }

    /// How many operations a batch has.
    fn size(&self, threads: usize, op: Op<'_>) -> usize {
        let mut n = 256;
        while !self.is_smoke && n < 1 << 24 && together(threads, n, op) * (n as f64) < BATCH.as_secs_f64() * 1e9 {
            n *= 2;
        }
        n
    }
}

fn rows(table: &Table, service: &MonitoringService) -> Vec<(String, f64)> {
    let values = black_box(samples());
    let client_counter = prometheus_client::metrics::counter::Counter::<u64>::default();
    let client_gauge = prometheus_client::metrics::gauge::Gauge::<i64>::default();
    let client_histogram = prometheus_client::metrics::histogram::Histogram::new(BUCKETS);
    let measured_counter = measured::Counter::new();
    let measured_histogram = measured::Histogram::<11>::with_metadata(Thresholds::with_buckets(BUCKETS));
    let mut growth = table.rows(&[
        ("counter, ours", &|_, _| COUNTER.increment(1)),
        ("counter, prometheus-client", &|_, _| _ = client_counter.inc()),
        ("counter, measured", &|_, _| measured_counter.get_metric().inc()),
    ]);
    growth.extend(table.rows(&[
        ("histogram, ours", &|_, i| HISTOGRAM.record(values[i % 1024])),
        ("histogram, prometheus-client", &|_, i| client_histogram.observe(values[i % 1024])),
        ("histogram, measured", &|_, i| measured_histogram.get_metric().observe(values[i % 1024])),
    ]));
    growth.extend(table.rows(&[
        ("guard of track, ours", &|_, _| drop(GUARDS.track())),
        ("gauge up and down by hand, ours", &|_, _| {
            GAUGE.increment(1);
            GAUGE.decrement(1);
        }),
        ("gauge up and down by hand, prometheus-client", &|_, _| {
            client_gauge.inc();
            client_gauge.dec();
        }),
    ]));
    let uri: Uri = "/api/v1/users/7".to_owned().parse().unwrap_or_default();
    let bare = routes().map_to_response();
    let with = routes().with(service.http_middleware());
    growth.push(
        table.added("what the middleware adds to a request of poem", &|_, _| send(&with, &uri), &|_, _| {
            send(&bare, &uri)
        }),
    );
    growth
}

#[handler]
fn user(Path(id): Path<u64>) -> String {
    format!("{{\"id\":{id}}}\n")
}

fn routes() -> Route {
    Route::new().at("/api/v1/users/:id", get(user))
}

/// A request from its head to its answer; nothing in it waits.
fn send(endpoint: &impl Endpoint<Output = Response>, uri: &Uri) {
    let answer = pin!(endpoint.get_response(Request::builder().uri(uri.clone()).finish()));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => _ = black_box(answer.status()),
        Poll::Pending => unreachable!("nothing here waits"),
    }
}
