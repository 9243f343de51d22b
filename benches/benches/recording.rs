//! What one record costs, off and on, in pairs with the peer that would do the same: `metrics::counter!` without a
//! recorder and over its Prometheus exporter, `measured`, and `prometheus-client`.
//!
//! The loop is our own, in this package's `lib.rs`, because a ratio between two functions is wanted from one run with
//! its confidence, and no maintained harness alternates between two functions of one binary: criterion measures one
//! after the other, so drift falls on one side; divan does not give its numbers out; tango-bench alternates between
//! builds. Ends with lines `ratio NAME VALUE TARGET ok|short|inconclusive` and `allocations NAME VALUE 0 ok|short`.
//!
//! Every input passes through `black_box`, and both sides of a row get the same ones. The disabled rows come first,
//! while the process has neither service nor recorder. Then the service starts as the process's one; the peer's
//! exporter is entered as the thread's local recorder once, outside all loops, which the `metrics` macros ask before
//! any global one, so that they do not pay more than they would over a global exporter.

use std::{hint::black_box, process::ExitCode};

use compozy_monitoring::{Config, MonitoringService, counter};
use compozy_monitoring_benches::{Round, Target};
use measured::{FixedCardinalityLabel, LabelGroup, metric::histogram::Thresholds};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

compozy_monitoring::families! {
    /// For call sites with literal labels.
    counter LITERAL = "compozy_bench_literal_total" { queue: str };
    /// For computed labels at a call site.
    counter COMPUTED = "compozy_bench_computed_total" { status_code: str };
    /// Two closed labels.
    counter CLOSED = "compozy_bench_closed_total" {
        task_type: TaskType { Basic = "basic", Parallel = "parallel", Composite = "composite" },
        outcome: Outcome { Success = "success", Failure = "failure" },
    };
    /// Two closed labels.
    histogram CLOSED_SECONDS = "compozy_bench_closed_seconds" { task_type: TaskType, outcome: Outcome };
    /// Three labels of free text.
    counter TEXTS = "compozy_bench_texts_total" { tenant: str, queue: str, worker: str };
}

/// The buckets of our histograms.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// As [`TaskType`], for `measured`.
#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
enum PeerType {
    Basic,
    Parallel,
    Composite,
}

/// As [`Outcome`], for `measured`.
#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
enum PeerOutcome {
    Success,
    Failure,
}

#[derive(Clone, Copy, Debug, LabelGroup)]
#[label(set = PeerLabelsSet)]
struct PeerLabels {
    task_type: PeerType,
    outcome: PeerOutcome,
}

const TYPES: [TaskType; 4] = [TaskType::Basic, TaskType::Parallel, TaskType::Composite, TaskType::Basic];
const PEER_TYPES: [PeerType; 4] = [PeerType::Basic, PeerType::Parallel, PeerType::Composite, PeerType::Basic];
const OUTCOMES: [Outcome; 2] = [Outcome::Success, Outcome::Failure];
const PEER_OUTCOMES: [PeerOutcome; 2] = [PeerOutcome::Success, PeerOutcome::Failure];

const CODES: [&str; 4] = ["200", "201", "404", "500"];

fn main() -> ExitCode {
    compozy_monitoring_benches::run(|round| {
        disabled(round);
        let Ok(service) = MonitoringService::new(Config::default().enabled(true)) else { return };
        assert!(service.is_enabled(), "something else is the process's recorder");
        service.register((&LITERAL, &COMPUTED, &CLOSED, &CLOSED_SECONDS, &TEXTS));
        let (exporter, _handle): (_, PrometheusHandle) = {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            (recorder, handle)
        };
        metrics::with_local_recorder(&exporter, || {
            literal(round);
            closed(round);
            texts(round);
        });
        assert_recorded(round, &service);
    })
}

/// Compiled in and off, against a process without a recorder.
fn disabled(round: &Round) {
    let target = Target::ratio(1.0 / 20.0).without_allocations();
    let code = |i: usize| black_box(CODES[i % CODES.len()]);
    round.pair(
        "disabled/computed-label",
        target,
        |i| counter!("compozy_bench_computed_total", "status_code" => code(i).to_owned()).increment(1),
        |i| metrics::counter!("compozy_bench_computed_total", "status_code" => code(i).to_owned()).increment(1),
    );
    // The same for a label that is known text, but not at compile time: the peer need not copy it.
    round.pair(
        "disabled/computed-static-label",
        target,
        |i| counter!("compozy_bench_computed_total", "status_code" => code(i)).increment(1),
        |i| metrics::counter!("compozy_bench_computed_total", "status_code" => code(i)).increment(1),
    );
    round.pair(
        "disabled/family-closed",
        target,
        |i| CLOSED.with(black_box(TYPES[i % 4]), black_box(OUTCOMES[i % 2])).increment(1),
        |i| {
            let (task_type, outcome) = (text_of(black_box(TYPES[i % 4])), outcome_of(black_box(OUTCOMES[i % 2])));
            metrics::counter!("compozy_bench_closed_total", "task_type" => task_type, "outcome" => outcome)
                .increment(1);
        },
    );
    let labels = labels();
    round.pair(
        "disabled/family-texts",
        target,
        |i| {
            let [tenant, queue, worker] = black_box(&labels[i % labels.len()]);
            TEXTS.with(tenant, queue, worker).increment(1);
        },
        |i| peer_texts(black_box(&labels[i % labels.len()])),
    );
}

/// A call site with a literal label, on a declared name.
fn literal(round: &Round) {
    round.pair(
        "enabled/literal",
        Target::ratio(1.0 / 15.0).without_allocations(),
        |_| counter!("compozy_bench_literal_total", "queue" => "default").increment(black_box(1)),
        |_| metrics::counter!("compozy_bench_literal_total", "queue" => "default").increment(black_box(1)),
    );
}

/// A declared family whose labels are closed sets.
fn closed(round: &Round) {
    let ours = |i: usize| CLOSED.with(black_box(TYPES[i % 4]), black_box(OUTCOMES[i % 2]));
    let labels =
        |i: usize| PeerLabels { task_type: black_box(PEER_TYPES[i % 4]), outcome: black_box(PEER_OUTCOMES[i % 2]) };
    let counters = measured::CounterVec::<PeerLabelsSet>::new();
    round.pair(
        "enabled/closed-counter/measured",
        Target::ratio(1.1).without_allocations(),
        |i| ours(i).increment(black_box(1)),
        |i| counters.inc_by(labels(i), black_box(1)),
    );

    let ours = |i: usize| CLOSED_SECONDS.with(black_box(TYPES[i % 4]), black_box(OUTCOMES[i % 2]));
    let measured = measured::HistogramVec::<PeerLabelsSet, 11>::with_metadata(Thresholds::with_buckets(BUCKETS));
    // Without labels: the least that a histogram of prometheus-client can cost.
    let client = prometheus_client::metrics::histogram::Histogram::new(BUCKETS);
    let spread = spread();
    for (shape, values) in [("one-value", &[0.012; 1024]), ("spread", &spread)] {
        let value = |i: usize| black_box(values[i % values.len()]);
        round.pair(
            &format!("enabled/closed-histogram-{shape}/measured"),
            Target::ratio(0.5).without_allocations(),
            |i| ours(i).record(value(i)),
            |i| measured.observe(labels(i), value(i)),
        );
        round.pair(
            &format!("enabled/closed-histogram-{shape}/prometheus-client"),
            Target::ratio(1.3).without_allocations(),
            |i| ours(i).record(value(i)),
            |i| client.observe(value(i)),
        );
    }
}

/// A declared family with three labels of free text, all seen before.
fn texts(round: &Round) {
    let labels = labels();
    round.pair(
        "enabled/texts",
        Target::ratio(1.0 / 8.0).without_allocations(),
        |i| {
            let [tenant, queue, worker] = black_box(&labels[i % labels.len()]);
            TEXTS.with(tenant, queue, worker).increment(1);
        },
        |i| peer_texts(black_box(&labels[i % labels.len()])),
    );
    // For a peer whose labels happen to live for ever: no copies, which free text does not grant.
    let labels: [[&'static str; 3]; 16] = STATIC_LABELS;
    round.pair(
        "enabled/texts-static",
        Target::none().without_allocations(),
        |i| {
            let [tenant, queue, worker] = *black_box(&labels[i % labels.len()]);
            TEXTS.with(tenant, queue, worker).increment(1);
        },
        |i| {
            let [tenant, queue, worker] = *black_box(&labels[i % labels.len()]);
            metrics::counter!("compozy_bench_texts_total", "tenant" => tenant, "queue" => queue, "worker" => worker)
                .increment(1);
        },
    );
}

fn peer_texts([tenant, queue, worker]: &[String; 3]) {
    metrics::counter!(
        "compozy_bench_texts_total",
        "tenant" => tenant.clone(),
        "queue" => queue.clone(),
        "worker" => worker.clone()
    )
    .increment(1);
}

/// Sixteen series, so that neither side's look-up is always of the same one.
fn labels() -> Vec<[String; 3]> {
    STATIC_LABELS.iter().map(|labels| labels.map(str::to_owned)).collect()
}

const STATIC_LABELS: [[&str; 3]; 16] = {
    let (tenants, queues) = (["acme", "globex-corporation", "initech", "umbrella"], ["default", "priority-high"]);
    let workers = ["worker-7f9c4-a", "worker-7f9c4-b"];
    let mut all = [["", "", ""]; 16];
    let mut i = 0;
    while i < 16 {
        all[i] = [tenants[i % 4], queues[i / 4 % 2], workers[i / 8]];
        i += 1;
    }
    all
};

/// Samples over all buckets, in an order that no branch predictor knows at first: log-uniform from 1 ms to 20 s.
fn spread() -> [f64; 1024] {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        0.001 * 20_000f64.powf((state >> 11) as f64 / (1u64 << 53) as f64)
    })
}

fn text_of(task_type: TaskType) -> &'static str {
    match task_type {
        TaskType::Basic => "basic",
        TaskType::Parallel => "parallel",
        TaskType::Composite => "composite",
    }
}

fn outcome_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
    }
}

/// That what was timed did record: a fast no-op would win every row.
fn assert_recorded(round: &Round, service: &MonitoringService) {
    if round.is_partial() {
        return;
    }
    let text = service.render();
    let recorded = |series: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(series)).map(str::trim);
        assert!(value.is_some_and(|value| value != "0"), "{series} was not recorded:\n{text}");
    };
    recorded(r#"compozy_bench_literal_total{queue="default"}"#);
    recorded(r#"compozy_bench_closed_total{outcome="failure",task_type="parallel"}"#);
    recorded(r#"compozy_bench_closed_seconds_count{outcome="success",task_type="basic"}"#);
    recorded(r#"compozy_bench_texts_total{queue="default",tenant="acme",worker="worker-7f9c4-a"}"#);
}
