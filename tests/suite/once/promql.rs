//! Every query of `docs/promql*.md`, against a real Prometheus that scrapes the examples with a Temporal server behind them.

use crate::common;
use crate::server;

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use common::processes::{Process, Prometheus, free_port, get, percent, request, serve, until};
use server::Server;

/// The pages in a row. The last one ends with the queries that `formats.rs` runs.
const PAGE: &str = concat!(
    include_str!("../../../docs/promql.md"),
    include_str!("../../../docs/promql-process.md"),
    include_str!("../../../docs/promql-workflows.md")
);

/// The queries of the page, each with the heading above it.
fn queries() -> Vec<(String, String)> {
    let (mut heading, mut query, mut all) = (String::new(), None::<String>, Vec::new());
    // What only a newer Prometheus knows is tried in `formats.rs`.
    let page = PAGE.split("\n## With native histograms").next().unwrap_or_default();
    for line in page.lines() {
        match (&mut query, line) {
            (None, "```promql") => query = Some(String::new()),
            (Some(text), "```") => {
                all.push((heading.clone(), std::mem::take(text)));
                query = None;
            }
            (Some(text), line) => *text += line,
            (None, line) => heading = line.strip_prefix("### ").map_or(heading, str::to_owned),
        }
    }
    all
}

/// The numbers that a query gives now.
fn numbers(prometheus: &Prometheus, query: &str) -> Vec<f64> {
    let data = prometheus.api(&format!("/api/v1/query?query={}", percent(query)));
    let rows = data["result"].as_array().cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row["value"][1].as_str()?.parse().ok()).filter(|value: &f64| !value.is_nan()).collect()
}

/// The example `worker`, built with this test.
fn worker(port: u16, temporal: &str) -> Process {
    let test = std::env::current_exe().expect("this test has a path");
    let program = test.ancestors().nth(2).expect("target/debug").join("examples/worker");
    let mut command = Command::new(program);
    command.env("TEMPORAL_ADDRESS", temporal).env("COMPOZY_ADDR", format!("127.0.0.1:{port}"));
    let command = command.env("MONITORING_ENABLED", "true").stderr(Stdio::null());
    let process = Process(command.spawn().expect("cargo builds examples with the tests"));
    until("the worker answers", || get(port, "/health").is_ok_and(|(status, _)| status == 200));
    process
}

#[test]
fn every_query_of_the_page_gives_a_number_and_the_countable_ones_the_right_one() {
    own_process!();
    let temporal = Server::get();
    let ports = [free_port(), free_port()];
    let _servers = ports.map(|port| serve(port, &[("MONITORING_ENABLED", "true")]));
    let worker_port = free_port();
    let _worker = worker(worker_port, &temporal.address);
    let prometheus = Prometheus::scraping("promql", &[ports[0], ports[1], worker_port]);
    until("all three are up", || numbers(&prometheus, "sum(up)") == [3.0]);
    let workflow = |verb: &str, kind: &str, input: &str| {
        temporal.cli(&["workflow", verb, "--task-queue", "compozy", "--type", kind, "--input", input]);
    };

    // Traffic until every query has its number: rates need two scrapes of a series.
    let page = queries();
    assert!(page.len() > 40, "{} queries", page.len());
    let (done, mut rounds) = (AtomicBool::new(false), 0);
    let (mut sent, mut workflows) = (0, 0);
    std::thread::scope(|threads| {
        let asking = threads.spawn(|| {
            let ask = || {
                for (heading, query) in &page {
                    until(heading, || !numbers(&prometheus, query).is_empty());
                }
            };
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask));
            done.store(true, Relaxed);
            result
        });
        while !done.load(Relaxed) {
            for port in ports {
                for (method, path) in [
                    ("GET", "/api/v1/users/7"),
                    ("GET", "/api/v1/users/ada"),
                    ("POST", "/api/v1/workflows"),
                    ("GET", "/nowhere"),
                ] {
                    request(method, port, path).expect("an answer");
                    sent += 1;
                }
            }
            if rounds % 4 == 0 {
                workflow("execute", "Greeting", r#""Ada""#);
                workflow("start", "Failing", "null");
                workflow("execute", "Counter", "2");
                workflows += 1;
            }
            rounds += 1;
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        asking.join().expect("joined").expect("every query has a number");
    });

    // The traffic has ended: now the ledger's numbers are exact.
    let exact = |heading: &str, expected: &[f64]| {
        let found: Vec<_> = page.iter().filter(|(of, _)| of == heading).collect();
        assert_eq!(found.len(), 1, "the page has one query under {heading:?}");
        let mut last = Vec::new();
        let start = std::time::Instant::now();
        while last != expected {
            assert!(start.elapsed().as_secs() < 60, "{heading}: {last:?} instead of {expected:?}");
            last = numbers(&prometheus, &found[0].1);
            last.sort_by(f64::total_cmp);
        }
    };
    // Each server was asked for its health until it answered, and so was the worker.
    let healths: f64 = [ports[0], ports[1], worker_port]
        .map(|port| {
            let text = get(port, "/metrics").expect("a scrape").1;
            common::value(&text, r#"compozy_http_requests_total{method="GET",path="/health",status_code="200"}"#)
        })
        .iter()
        .sum();
    exact("How many requests were there since the processes started?", &[f64::from(sent) + healths]);
    exact("Which instances are up?", &[3.0]);
    exact("Which versions run?", &[3.0]);
    exact("Was anything restarted in the last hour?", &[0.0]);
    exact("And without the feature `process`?", &[0.0]);
    exact("How many requests are being answered now?", &[3.0]);
    exact("Are all workers running?", &[1.0]);
    exact("Is monitoring well?", &[1.0]);
    exact("Does it lose anything?", &[0.0]);
    // A round is five runs: one greeting, one failure, and a counter that continues twice.
    let started = [f64::from(workflows) * 5.0];
    until("all are scraped", || numbers(&prometheus, "sum(compozy_temporal_workflow_started_total)") == started);
    exact("How many workflows are open, by the ledger?", &[0.0]);
}
