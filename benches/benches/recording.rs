//! What one record costs, off and on, in pairs with the peer that would do the same: `metrics::counter!` without a
//! recorder and over its Prometheus exporter, `measured`, and `prometheus-client`.
//! The loop is our own, in this package's `lib.rs`, because a ratio between two functions is wanted from one run with
//! its confidence, and no maintained harness alternates between two functions of one binary: criterion measures one
//! after the other, so drift falls on one side; divan does not give its numbers out; tango-bench alternates between
//! builds. Ends with lines `ratio NAME VALUE TARGET ok|short|inconclusive` and `allocations NAME VALUE 0 ok|short`.
//!
//! Both sides of a row get the same inputs, out of tables that pass through `black_box` once, outside the loop: inside,
//! it costs a round trip through memory, which is more than a disabled record. The disabled rows come first, while the process has neither service nor recorder. Then the service starts as the process's one; the peer's
//! exporter is entered as the thread's local recorder once, outside all loops, which the `metrics` macros ask before
//! any global one, so that they do not pay more than they would over a global exporter.

use std::{alloc::System, hint::black_box, process::ExitCode, time::Instant};

use compozy_monitoring::{Config, MonitoringService, counter, histogram};
use compozy_monitoring_benches::{Round, Target, allocations::Counting, samples};
use measured::{FixedCardinalityLabel, LabelGroup, metric::histogram::Thresholds};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

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
    /// As many bounds as a family may have, over the same range.
    histogram THIRTY_BOUNDS = "compozy_bench_thirty_bounds_seconds" buckets [
        0.001, 0.0014, 0.002, 0.0028, 0.004, 0.0056, 0.008, 0.011, 0.016, 0.022, 0.032, 0.045, 0.063, 0.09, 0.13,
        0.18, 0.25, 0.36, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 20.0,
    ] { task_type: TaskType, outcome: Outcome };
    /// What is there now.
    gauge GUARDS = "compozy_bench_guards";
    /// Three labels of free text.
    counter TEXTS = "compozy_bench_texts_total" { tenant: str, queue: str, worker: str };
}

/// How often instructions are counted.
const TIMES: usize = 20_000;
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

fn main() -> ExitCode {
    compozy_monitoring_benches::run(|round| {
        disabled(round);
        let Ok(service) = MonitoringService::new(Config::default().enabled(true)) else { return };
        assert!(service.is_enabled(), "something else is the process's recorder");
        service.register((&LITERAL, &COMPUTED, &CLOSED, &CLOSED_SECONDS, &THIRTY_BOUNDS, &GUARDS, &TEXTS));
        let exporter = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&exporter, || {
            literal(round);
            closed(round);
            bounds(round);
            timers(round);
            texts(round);
        });
        contention(round, &exporter);
        assert_recorded(round, &service);
    })
}

/// Compiled in and off, against a process without a recorder.
fn disabled(round: &Round) {
    let target = Target::most(1.0 / 20.0).without_allocations();
    let codes = black_box(["200", "201", "404", "500"]);
    round.pair(
        "disabled/computed-label",
        target,
        |i| counter!("compozy_bench_computed_total", "status_code" => codes[i % 4].to_owned()).increment(1),
        |i| metrics::counter!("compozy_bench_computed_total", "status_code" => codes[i % 4].to_owned()).increment(1),
    );
    // The same for text that lives for ever, but is not known at compile time: the peer need not copy it.
    round.pair(
        "disabled/computed-static-label",
        target,
        |i| counter!("compozy_bench_computed_total", "status_code" => codes[i % 4]).increment(1),
        |i| metrics::counter!("compozy_bench_computed_total", "status_code" => codes[i % 4]).increment(1),
    );
    let inputs = closed_inputs();
    let texts =
        black_box([["basic", "success"], ["parallel", "failure"], ["composite", "success"], ["basic", "failure"]]);
    round.pair(
        "disabled/family-closed",
        target,
        |i| CLOSED.with(inputs[i % 4].0, inputs[i % 4].1).increment(1),
        |i| {
            let [task_type, outcome] = texts[i % 4];
            metrics::counter!("compozy_bench_closed_total", "task_type" => task_type, "outcome" => outcome)
                .increment(1);
        },
    );
    let labels = labels();
    round.pair("disabled/family-texts", target, |i| our_texts(&labels[i % 16]), |i| peer_texts(&labels[i % 16]));
}

/// A call site with a literal label, on a declared name.
fn literal(round: &Round) {
    round.pair(
        "enabled/literal",
        Target::most(1.0 / 15.0).without_allocations(),
        |_| counter!("compozy_bench_literal_total", "queue" => "default").increment(1),
        |_| metrics::counter!("compozy_bench_literal_total", "queue" => "default").increment(1),
    );
}

/// A declared family whose labels are closed sets.
fn closed(round: &Round) {
    let inputs = closed_inputs();
    let peer_inputs = black_box([
        PeerLabels { task_type: PeerType::Basic, outcome: PeerOutcome::Success },
        PeerLabels { task_type: PeerType::Parallel, outcome: PeerOutcome::Failure },
        PeerLabels { task_type: PeerType::Composite, outcome: PeerOutcome::Success },
        PeerLabels { task_type: PeerType::Basic, outcome: PeerOutcome::Failure },
    ]);
    let counters = measured::CounterVec::<PeerLabelsSet>::new();
    round.pair(
        "enabled/closed-counter/measured",
        Target::most(1.1).without_allocations(),
        |i| CLOSED.with(inputs[i % 4].0, inputs[i % 4].1).increment(1),
        |i| counters.inc(peer_inputs[i % 4]),
    );

    let measured = measured::HistogramVec::<PeerLabelsSet, 11>::with_metadata(Thresholds::with_buckets(BUCKETS));
    // Without labels: the least that a histogram of prometheus-client can cost.
    let client = prometheus_client::metrics::histogram::Histogram::new(BUCKETS);
    for (shape, values) in [("one-value", [0.012; 1024]), ("spread", samples())] {
        let values = black_box(values);
        round.pair(
            &format!("enabled/closed-histogram-{shape}/measured"),
            Target::most(0.5).without_allocations(),
            |i| CLOSED_SECONDS.with(inputs[i % 4].0, inputs[i % 4].1).record(values[i % 1024]),
            |i| measured.observe(peer_inputs[i % 4], values[i % 1024]),
        );
        round.pair(
            &format!("enabled/closed-histogram-{shape}/prometheus-client"),
            Target::most(1.3).without_allocations(),
            |i| CLOSED_SECONDS.with(inputs[i % 4].0, inputs[i % 4].1).record(values[i % 1024]),
            |i| client.observe(values[i % 1024]),
        );
    }
}

/// The most bounds that a histogram may have, over the eleven that it has by its unit.
fn bounds(round: &Round) {
    let target = Target::most(1.3).without_allocations();
    let inputs = closed_inputs();
    for (shape, values) in [("one-value", [0.012; 1024]), ("spread", samples())] {
        let values = black_box(values);
        let thirty = |i: usize| THIRTY_BOUNDS.with(inputs[i % 4].0, inputs[i % 4].1).record(values[i % 1024]);
        let eleven = |i: usize| CLOSED_SECONDS.with(inputs[i % 4].0, inputs[i % 4].1).record(values[i % 1024]);
        round.pair(&format!("enabled/thirty-bounds-{shape}/eleven"), target, thirty, eleven);
        let name = format!("enabled/thirty-bounds-{shape}/eleven/instructions");
        round.instructions_overhead(&name, target, TIMES, (thirty, |_| ()), (eleven, |_| ()));
    }
}

/// A timer over what it is by hand: two reads of the clock, and a record.
fn timers(round: &Round) {
    let timer = |_: usize| drop(CLOSED_SECONDS.with(TaskType::Parallel, Outcome::Failure).start_timer());
    let by_hand = |_: usize| {
        let start = Instant::now();
        CLOSED_SECONDS.with(TaskType::Parallel, Outcome::Failure).record(start.elapsed().as_secs_f64());
    };
    round.added("enabled/timer", Target::most(10.0).without_allocations(), timer, by_hand);
    round.instructions("enabled/timer/instructions", Target::none(), TIMES, timer, by_hand);
    let literal = |_: usize| drop(histogram!("compozy_bench_timer_seconds", "queue" => "default").start_timer());
    round.added("enabled/timer-literal", Target::most(10.0).without_allocations(), literal, by_hand);
    let nothing = |_: usize| ();
    round.instructions("enabled/track/instructions", Target::none(), TIMES, |_| drop(GUARDS.track()), nothing);
    let counter = |_: usize| CLOSED.with(TaskType::Parallel, Outcome::Failure).increment(1);
    round.instructions("enabled/closed-counter/instructions", Target::none(), TIMES, counter, nothing);
    let counter = |_: usize| counter!("compozy_bench_literal_total", "queue" => "default").increment(1);
    round.instructions("enabled/literal/instructions", Target::none(), TIMES, counter, nothing);
    let histogram = |_: usize| CLOSED_SECONDS.with(TaskType::Parallel, Outcome::Failure).record(0.012);
    round.instructions("enabled/closed-histogram/instructions", Target::none(), TIMES, histogram, nothing);
}

fn closed_inputs() -> [(TaskType, Outcome); 4] {
    black_box([
        (TaskType::Basic, Outcome::Success),
        (TaskType::Parallel, Outcome::Failure),
        (TaskType::Composite, Outcome::Success),
        (TaskType::Basic, Outcome::Failure),
    ])
}

/// A declared family with three labels of free text, all seen before.
fn texts(round: &Round) {
    let labels = labels();
    round.pair(
        "enabled/texts",
        Target::most(1.0 / 8.0).without_allocations(),
        |i| our_texts(&labels[i % 16]),
        |i| peer_texts(&labels[i % 16]),
    );
    // For a peer whose labels happen to live for ever: no copies, which free text does not grant.
    let labels = black_box(STATIC_LABELS);
    round.pair(
        "enabled/texts-static",
        Target::none().without_allocations(),
        |i| {
            let [tenant, queue, worker] = labels[i % 16];
            TEXTS.with(tenant, queue, worker).increment(1);
        },
        |i| {
            let [tenant, queue, worker] = labels[i % 16];
            metrics::counter!("compozy_bench_texts_total", "tenant" => tenant, "queue" => queue, "worker" => worker)
                .increment(1);
        },
    );
}

/// Two threads at once: on one series, and each on three of its own. The exporter's handles are kept ones, which is
/// the least that it can cost.
fn contention(round: &Round, exporter: &PrometheusRecorder) {
    const THREADS: usize = 2;
    // No slower, give or take what the layout of code does to a nanosecond.
    let target = Target::most(1.05);
    // All on one series.
    let lanes = Target::most(0.4);
    let handles: [metrics::Counter; 6] = std::array::from_fn(|i| {
        metrics::with_local_recorder(
            exporter,
            || metrics::counter!("compozy_bench_contended_total", "queue" => i.to_string()),
        )
    });
    let seconds: [metrics::Histogram; 6] = std::array::from_fn(|i| {
        metrics::with_local_recorder(
            exporter,
            || metrics::histogram!("compozy_bench_contended_seconds", "queue" => i.to_string()),
        )
    });
    let counters = measured::CounterVec::<PeerLabelsSet>::new();
    let histograms = measured::HistogramVec::<PeerLabelsSet, 11>::with_metadata(Thresholds::with_buckets(BUCKETS));
    let client: [prometheus_client::metrics::counter::Counter; 6] = Default::default();
    let client_seconds: [_; 6] =
        std::array::from_fn(|_| prometheus_client::metrics::histogram::Histogram::new(BUCKETS));
    let types = [TaskType::Basic, TaskType::Parallel, TaskType::Composite];
    let ours: [(TaskType, Outcome); 6] =
        black_box(std::array::from_fn(|i| (types[i % 3], [Outcome::Success, Outcome::Failure][i / 3])));
    let peer_types = [PeerType::Basic, PeerType::Parallel, PeerType::Composite];
    let peer: [PeerLabels; 6] = black_box(std::array::from_fn(|i| PeerLabels {
        task_type: peer_types[i % 3],
        outcome: [PeerOutcome::Success, PeerOutcome::Failure][i / 3],
    }));
    let values = black_box(samples());
    fn one(_: usize, _: usize) -> usize {
        1
    }
    fn many(thread: usize, i: usize) -> usize {
        i % 3 + 3 * thread
    }
    for (name, place) in [("one", one as fn(usize, usize) -> usize), ("many", many)] {
        let place = black_box(place);
        let of_client = if name == "one" { lanes } else { target };
        let count = |thread: usize, i: usize| {
            let (task_type, outcome) = ours[place(thread, i)];
            CLOSED.with(task_type, outcome).increment(1);
        };
        let name_of = |peer: &str| format!("contention/counter-{name}/{peer}");
        round.threads(&name_of("measured"), target, THREADS, count, |t, i| counters.inc(peer[place(t, i)]));
        round.threads(&name_of("metrics"), target, THREADS, count, |t, i| handles[place(t, i)].increment(1));
        round.threads(&name_of("prometheus-client"), of_client, THREADS, count, |t, i| _ = client[place(t, i)].inc());
        let record = |thread: usize, i: usize| {
            let (task_type, outcome) = ours[place(thread, i)];
            CLOSED_SECONDS.with(task_type, outcome).record(values[i % 1024]);
        };
        let name_of = |peer: &str| format!("contention/histogram-{name}/{peer}");
        round.threads(&name_of("measured"), target, THREADS, record, |t, i| {
            histograms.observe(peer[place(t, i)], values[i % 1024]);
        });
        round.threads(&name_of("metrics"), target, THREADS, record, |t, i| {
            seconds[place(t, i)].record(values[i % 1024]);
        });
        round.threads(&name_of("prometheus-client"), of_client, THREADS, record, |t, i| {
            client_seconds[place(t, i)].observe(values[i % 1024]);
        });
    }
    // How the cost grows: two threads over one.
    round.growth("contention/counter-one/growth", Target::most(1.3), THREADS, |_, _| {
        CLOSED.with(ours[1].0, ours[1].1).increment(1);
    });
    round.growth("contention/histogram-one/growth", Target::most(1.5), THREADS, |_, i| {
        CLOSED_SECONDS.with(ours[1].0, ours[1].1).record(values[i % 1024]);
    });
    round.growth("contention/track-one/growth", Target::most(1.5), THREADS, |_, _| drop(GUARDS.track()));
    round.growth("contention/gauge-by-hand/growth", Target::none(), THREADS, |_, _| {
        GUARDS.increment(1);
        GUARDS.decrement(1);
    });
}

#[inline]
fn our_texts([tenant, queue, worker]: &[String; 3]) {
    TEXTS.with(tenant, queue, worker).increment(1);
}

#[inline]
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
fn labels() -> [[String; 3]; 16] {
    black_box(STATIC_LABELS.map(|labels| labels.map(str::to_owned)))
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
