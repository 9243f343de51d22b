//! The first two prices, in instructions. Not compiled in: the same function with and without instrumentation, built
//! without any feature. Compiled in and switched off: each kind of call site, beside `metrics` without a recorder. What
//! the second takes in nanoseconds is in `recording`. Ends with lines `ratio NAME VALUE TARGET ok|short|inconclusive`.

use std::{
    alloc::System,
    future::{Future, ready},
    hint::black_box,
    path::{Path, PathBuf},
    pin::pin,
    process::{Command, ExitCode},
    task::{Context, Waker},
};

use compozy_monitoring::{counter, gauge, histogram};
use compozy_monitoring_benches::{Round, Target, allocations::Counting, count_process, run};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

compozy_monitoring::families! {
    /// Without labels.
    counter PLAIN = "compozy_bench_plain_total";
    /// Two closed labels.
    counter CLOSED = "compozy_bench_closed_total" {
        task_type: TaskType { Basic = "basic", Parallel = "parallel", Composite = "composite" },
        outcome: Outcome { Success = "success", Failure = "failure" },
    };
    /// Two closed labels.
    histogram CLOSED_SECONDS = "compozy_bench_closed_seconds" { task_type: TaskType, outcome: Outcome };
    /// What is there now.
    gauge BUSY = "compozy_bench_busy" { task_type: TaskType };
    /// Three labels of free text.
    counter TEXTS = "compozy_bench_texts_total" { tenant: str, queue: str, worker: str };
}

const TIMES: usize = 100_000;
/// A load, a comparison, a branch, and what it takes to get there.
const DISABLED: Target = Target::most(6.0);

fn main() -> ExitCode {
    let exit = run(disabled);
    let has = |flag: &str| std::env::args().any(|arg| arg == flag);
    if exit == ExitCode::SUCCESS
        && has("--bench")
        && let Err(error) = off()
    {
        eprintln!("bench: not compiled in: {error}");
        return ExitCode::FAILURE;
    }
    exit
}

/// Built without features: the instructions that the instrumented probe takes more than the bare one.
fn off() -> Result<(), String> {
    let program = build().ok_or("the probe does not build")?;
    let of = |probe: &str| {
        let count = |times: usize| count_process(Command::new(&program).args([probe, &times.to_string()]));
        Ok::<f64, String>((count(2 * TIMES)? - count(TIMES)?) / TIMES as f64)
    };
    let (bare, instrumented, control) = (of("bare")?, of("instrumented")?, of("control")?);
    println!("\n| not compiled in | instructions |\n|---|---|");
    println!(
        "| bare | {bare} |\n| seven call sites | {instrumented} |\n| an atomic addition, as control | {control} |\n"
    );
    let verdict = if instrumented == bare && control > bare { "ok" } else { "short" };
    println!("ratio off/instructions {} 0 {verdict}", instrumented - bare);
    Ok(())
}

/// The probe, built by itself: in one build with this package it would have its features.
fn build() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("noop");
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--quiet", "--release", "--package", "noop-probe", "--example", "count", "--target-dir"])
        .arg(&target)
        .env_remove("RUSTFLAGS")
        .status()
        .ok()?;
    status.success().then(|| target.join("release/examples/count"))
}

/// Polls a future that is ready.
#[inline(always)]
fn ready_now(future: impl Future<Output = ()>) {
    assert!(pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

/// Compiled in, in a process without a service and without a recorder.
fn disabled(round: &Round) {
    let codes = black_box(["200", "201", "404", "500"]);
    let inputs = black_box([
        (TaskType::Basic, Outcome::Success),
        (TaskType::Parallel, Outcome::Failure),
        (TaskType::Composite, Outcome::Success),
        (TaskType::Basic, Outcome::Failure),
    ]);
    let texts =
        black_box([["acme", "default", "a"], ["globex", "high", "b"], ["initech", "low", "c"], ["x", "y", "z"]]);
    let nothing = |_: usize| ();

    round.instructions(
        "disabled/literal",
        DISABLED,
        TIMES,
        |_| counter!("compozy_bench_literal_total", "queue" => "x").increment(1),
        nothing,
    );
    round.instructions(
        "disabled/computed-label",
        DISABLED,
        TIMES,
        |i| counter!("compozy_bench_computed_total", "status_code" => codes[i % 4].to_owned()).increment(1),
        nothing,
    );
    round.instructions(
        "disabled/computed-gauge",
        DISABLED,
        TIMES,
        |i| gauge!("compozy_bench_depth", "queue" => codes[i % 4].to_owned()).set(1),
        nothing,
    );
    round.instructions(
        "disabled/computed-histogram",
        DISABLED,
        TIMES,
        |i| histogram!("compozy_bench_computed_seconds", "queue" => codes[i % 4].to_owned()).record(0.5),
        nothing,
    );
    round.instructions("disabled/family-plain", DISABLED, TIMES, |_| PLAIN.increment(1), nothing);
    let closed = |_: usize| CLOSED.with(TaskType::Parallel, Outcome::Failure).increment(1);
    round.instructions("disabled/family-closed", DISABLED, TIMES, closed, nothing);
    let seconds = |_: usize| CLOSED_SECONDS.with(TaskType::Parallel, Outcome::Failure).record(0.5);
    round.instructions("disabled/family-closed-histogram", DISABLED, TIMES, seconds, nothing);
    let of_texts = |_: usize| TEXTS.with("acme", "default", "a").increment(1);
    round.instructions("disabled/family-texts", DISABLED, TIMES, of_texts, nothing);
    // Today's way without them: two clock reads, whether monitoring is on or off.
    let timer = |_: usize| drop(CLOSED_SECONDS.with(TaskType::Parallel, Outcome::Failure).start_timer());
    round.instructions("disabled/timer", DISABLED, TIMES, timer, nothing);
    let timer = |_: usize| CLOSED_SECONDS.with(TaskType::Parallel, Outcome::Failure).start_timer().stop_and_discard();
    round.instructions("disabled/timer-discarded", DISABLED, TIMES, timer, nothing);
    let timer = |_: usize| drop(histogram!("compozy_bench_timer_seconds", "queue" => "x").start_timer());
    round.instructions("disabled/timer-literal", DISABLED, TIMES, timer, nothing);
    let track = |_: usize| drop(BUSY.with(TaskType::Parallel).track());
    round.instructions("disabled/track", DISABLED, TIMES, track, nothing);
    let future = |_: usize| ready_now(CLOSED_SECONDS.with(TaskType::Parallel, Outcome::Failure).time(ready(())));
    round.instructions("disabled/time", DISABLED, TIMES, future, |_| ready_now(ready(())));
    // What the caller pays to have the values at all comes on top, in any state of monitoring.
    let from_a_table = |i: usize| CLOSED.with(inputs[i % 4].0, inputs[i % 4].1).increment(1);
    round.instructions("disabled/family-closed/from-a-table", Target::none(), TIMES, from_a_table, nothing);
    let from_a_table = |i: usize| {
        let [tenant, queue, worker] = texts[i % 4];
        TEXTS.with(tenant, queue, worker).increment(1);
    };
    round.instructions("disabled/family-texts/from-a-table", Target::none(), TIMES, from_a_table, nothing);
    round.instructions_overhead(
        "disabled/computed-label/metrics",
        Target::most(1.0 / 20.0),
        TIMES,
        (|i| counter!("compozy_bench_computed_total", "status_code" => codes[i % 4].to_owned()).increment(1), nothing),
        (
            |i: usize| {
                metrics::counter!("compozy_bench_computed_total", "status_code" => codes[i % 4].to_owned())
                    .increment(1);
            },
            nothing,
        ),
    );
    round.instructions_overhead(
        "disabled/family-texts/metrics",
        Target::most(1.0 / 20.0),
        TIMES,
        (
            |i| {
                let [tenant, queue, worker] = texts[i % 4];
                TEXTS.with(tenant, queue, worker).increment(1);
            },
            nothing,
        ),
        (
            |i: usize| {
                let [tenant, queue, worker] = texts[i % 4].map(str::to_owned);
                metrics::counter!("compozy_bench_texts_total", "tenant" => tenant, "queue" => queue, "worker" => worker)
                    .increment(1);
            },
            nothing,
        ),
    );
}
