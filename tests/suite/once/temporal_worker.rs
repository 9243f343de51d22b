//! The example `worker` as an operator has it: one process, one `/metrics`, the plain CLI, and a kill.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::common;
use crate::server;

use common::{samples, sum, value};
use server::Server;

/// The example, built by the same command as this test.
fn example() -> PathBuf {
    let mut path = std::env::current_exe().expect("this test has a path");
    path.pop();
    path.pop();
    path.join("examples/worker")
}

struct Example {
    process: Child,
    address: String,
    lines: mpsc::Receiver<String>,
}

impl Example {
    fn start(temporal: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
        let address = format!("127.0.0.1:{port}");
        let mut process = Command::new(example())
            .env("TEMPORAL_ADDRESS", temporal)
            .env("COMPOZY_ADDR", &address)
            .env("MONITORING_ENABLED", "true")
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .expect("cargo builds examples with the tests: `cargo build --example worker` otherwise");
        let (send, lines) = mpsc::channel();
        let stderr = BufReader::new(process.stderr.take().expect("piped"));
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { process, address, lines }
    }

    /// Waits for a log line that has this in it.
    #[track_caller]
    fn line(&self, part: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with {part:?} in {seen:#?}");
    }

    fn scrape(&self) -> String {
        let mut response = ureq::get(format!("http://{}/metrics", self.address)).call().expect("a scrape");
        response.body_mut().read_to_string().expect("text")
    }

    /// Waits until a scrape satisfies this.
    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let text = self.scrape();
            if holds(&text) {
                return text;
            }
            assert!(Instant::now() < deadline, "{what} in\n{text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn kill(mut self, signal: &str) -> std::process::ExitStatus {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill").success());
        self.process.wait().expect("it ends")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(server: &Server, workflow_type: &str, id: &str, input: &[&str]) {
    let arguments = ["workflow", "start", "--task-queue", "compozy", "--type", workflow_type, "--workflow-id", id];
    server.cli(&[&arguments[..], input].concat());
}

const FAMILY: &str = "compozy_temporal_workflow";

#[test]
fn one_endpoint_for_http_workflows_and_the_sdk() {
    // Its own server: other workers of the example ask the same task queue.
    own_process!();
    let server = Server::get();
    let example = Example::start(&server.address);
    example.line("Worker started");
    start(server, "Greeting", "greeting", &["--input", "\"Ada\""]);
    start(server, "Failing", "failing", &[]);
    start(server, "Counter", "counter", &["--input", "3"]);
    start(server, "Timer", "woken", &[]);
    start(server, "Timer", "canceled", &[]);
    start(server, "Timer", "slept", &[]);
    example.until("three timers", |text| {
        samples(text).get(&format!("{FAMILY}_started_total{{workflow_type=\"Timer\"}}")) == Some(&3.0)
    });
    server.cli(&["workflow", "signal", "--workflow-id", "woken", "--name", "wake"]);
    server.cli(&["workflow", "cancel", "--workflow-id", "canceled"]);
    let text = example.until("nine ends", |text| sum(text, &format!("{FAMILY}_duration_seconds_count")) == 9.0);
    let of = |family: &str, kind: &str| value(&text, &format!("{FAMILY}_{family}_total{{workflow_type=\"{kind}\"}}"));
    assert_eq!(of("completed", "Greeting"), 1.0);
    assert_eq!(of("failed", "Failing"), 1.0);
    assert_eq!((of("continued_as_new", "Counter"), of("completed", "Counter")), (3.0, 1.0));
    assert_eq!((of("canceled", "Timer"), of("completed", "Timer")), (1.0, 2.0));
    assert_eq!(value(&text, "compozy_greetings_total"), 1.0);
    assert_eq!(value(&text, "compozy_timers_woken_total"), 1.0);
    assert_eq!(value(&text, "compozy_temporal_workers_running_total"), 1.0);
    assert!(sum(&text, "compozy_http_requests_total") > 0.0);
    assert!(sum(&text, "temporal_workflow_task_queue_poll_succeed") > 0.0);
    // The SDK's counters are not named as promtool has it.
    let remarks = common::promtool(&text);
    let known = |line: &str| line.starts_with("temporal_") && line.contains("\"_total\" suffix");
    assert!(remarks.lines().all(known), "{remarks}");
    assert!(example.kill("-TERM").success());

    // Killed with -9, a worker loses what nobody had scraped, and its successor counts no end again.
    let first = Example::start(&server.address);
    first.line("Worker started");
    start(server, "Greeting", "scraped", &["--input", "\"Ada\""]);
    let seen = first.until("an end", |text| sum(text, &format!("{FAMILY}_completed_total")) == 1.0);
    assert_eq!(sum(&seen, &format!("{FAMILY}_started_total")), 1.0);
    start(server, "Timer", "survivor", &[]);
    first.until("a start", |text| sum(text, &format!("{FAMILY}_started_total")) == 2.0);
    start(server, "Greeting", "lost", &["--input", "\"Ada\""]);
    server.cli(&["workflow", "result", "--workflow-id", "lost"]);
    assert!(!first.kill("-KILL").success());
    let second = Example::start(&server.address);
    second.line("Worker started");
    server.cli(&["workflow", "signal", "--workflow-id", "survivor", "--name", "wake"]);
    server.cli(&["workflow", "result", "--workflow-id", "survivor"]);
    let text = second.until("the survivor's end", |text| sum(text, &format!("{FAMILY}_completed_total")) == 1.0);
    // Its start was the first process's; the run that nobody saw is in neither.
    assert_eq!(sum(&text, &format!("{FAMILY}_started_total")), 0.0);
    assert_eq!(sum(&text, &format!("{FAMILY}_completed_total")), 1.0);
    assert!(second.kill("-TERM").success());
}

#[test]
fn without_a_server_it_says_so_and_tries_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let example = Example::start(&nobody.to_string());
    for _ in 0..2 {
        let line = example.line("No Temporal server at");
        assert!(line.contains(&nobody.to_string()) && line.contains("TEMPORAL_ADDRESS"), "{line}");
    }
    // The endpoint is there all the same.
    assert_eq!(value(&example.scrape(), "compozy_temporal_workers_running_total"), 0.0);
    assert_eq!(value(&example.scrape(), "compozy_temporal_workers_configured_total"), 1.0);
}
