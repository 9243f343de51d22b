//! Instrumentation that fails in every way, under a workflow that must not notice. The history is one that a real
//! server recorded; the SDK's replayer runs it without one.

use std::time::Duration;

use temporalio_client::WorkflowHistory;
use temporalio_common::telemetry::metrics::{CounterBase, HistogramDurationBase, MetricKeyValue, NewAttributes};
use temporalio_sdk::{
    WorkflowContext, WorkflowContextView, WorkflowResult,
    workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions},
    workflows::{workflow, workflow_methods},
};

use super::ledger::{Close, Eviction, Ledger, Outcome, RunKey};
use crate::{
    MonitoringService,
    fault::{self, tests::log_of},
    recorder::Store,
};

const HISTORY: &[u8] = include_bytes!("../../tests/fixtures/history.json");

crate::families! {
    /// Steps.
    counter STEPS = "compozy_replayed_steps_total";
}

/// Two timers of ten milliseconds, as in the history.
#[workflow]
struct Play {
    steps: u32,
}

#[workflow_methods]
impl Play {
    #[init]
    fn new(_: &WorkflowContextView) -> Self {
        STEPS.increment(1);
        Self { steps: 2 }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, _: serde_json::Value) -> WorkflowResult<()> {
        for _ in 0..ctx.state(|play| play.steps) {
            STEPS.increment(1);
            ctx.timer(Duration::from_millis(10)).await;
            STEPS.increment(1);
            metrics::counter!("foreign_steps_total").increment(1);
        }
        Ok(())
    }
}

fn replay(service: &MonitoringService) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("Tokio");
    tokio.block_on(async {
        let options = WorkflowReplayerOptions::new().workflow_interceptor(service.temporal_interceptor());
        // Not the replayer's own, under which the interceptor does nothing.
        let options = options.register_workflow::<Play>().expect("registered").namespace("orders").build();
        let history = WorkflowHistory::from_json(HISTORY).expect("a history");
        let replayed = WorkflowReplayer::new(options).expect("a replayer").replay_workflow(history).await;
        replayed.expect("replays");
    });
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn a_replay_counts_nothing() {
    let service = MonitoringService::for_test();
    replay(&service);
    let text = service.render();
    assert_eq!(lines(&text, "compozy_replayed_steps_total"), [""; 0]);
    assert_eq!(lines(&text, "foreign_steps_total"), ["foreign_steps_total 0"]);
    assert_eq!(lines(&text, "compozy_temporal_workflow_"), [""; 0]);
}

#[test]
fn no_workflow_notices_a_fault_of_its_interceptor() {
    let service = MonitoringService::for_test();
    let log = log_of(|| fault::armed("interceptor", || replay(&service)));
    assert_eq!(log.matches("Metric recording failed").count(), 1, "{log}");
    assert!(log.contains("metric=\"compozy_temporal_workflow_started_total\""), "{log}");
    let text = service.render();
    assert_eq!(lines(&text, "compozy_replayed_steps_total"), [""; 0]);
    assert_eq!(lines(&text, "compozy_monitoring_health"), ["compozy_monitoring_health 0"]);
}

#[test]
fn the_sdk_notices_no_fault_of_the_meter() {
    for place in ["instrument", "bind", "signal", "family", "series", "table", "resolve", "open"] {
        let service = MonitoringService::for_test();
        let _ = service.temporal_interceptor();
        let log = log_of(|| {
            fault::armed(place, || {
                let meter = service.temporal_meter();
                let pairs = [MetricKeyValue::new("workflow_type", "T")];
                let own = meter.new_attributes(NewAttributes::from(pairs));
                let mut latency = meter.histogram_duration("temporal_workflow_endtoend_latency".into());
                latency.update_attributes(own.clone());
                let mut outcome = meter.counter("temporal_workflow_completed".into());
                outcome.update_attributes(own.clone());
                for _ in 0..3 {
                    latency.records(Duration::from_secs(1));
                    outcome.adds(1);
                }
                meter.gauge("temporal_sticky_cache_size".into()).record(1, &own);
            });
        });
        assert!(log.contains("Metric recording failed"), "{place}: {log}");
        for metric in ["temporal_workflow_completed\"", "compozy_temporal_workflow\""] {
            assert!(log.matches(metric).count() <= 1, "{place}: {log}");
        }
        assert!(lines(&service.render(), "compozy_monitoring_health 0").len() == 1, "{place}");
    }
}

/// A run was dropped for its end; to make room, or because its end was refused; and, with a cache of 100, refused.
const END: Eviction = Eviction { forced: false, left: 5 };
const FULL: Eviction = Eviction { forced: true, left: 99 };
const REFUSED: Eviction = Eviction { forced: true, left: 5 };

/// A ledger beside a storage, with both halves.
fn ledger(store: &Store) -> &Ledger {
    store.ledger.has_meter();
    store.ledger.has_interceptor();
    &store.ledger
}

fn value(store: &Store, family: &str) -> f64 {
    let text = store.render();
    let start = format!("compozy_temporal_workflow_{family}{{workflow_type=\"T\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0.0)
}

#[test]
fn a_benign_failure_counts_when_core_lets_the_run_go() {
    let store = Store::new(2_000);
    let ledger = ledger(&store);
    let started = std::time::SystemTime::now() - Duration::from_secs(3);
    let close = Close { duration: Duration::from_secs(3), started };
    let run = RunKey::new("a");
    ledger.live(&store, run, "T", false, false);
    ledger.ended(&store, run, Some(started), Some("T"));
    assert_eq!(value(&store, "failed_total"), 0.0);
    // Refused, or a full cache.
    ledger.dropped(&store, "T", close, FULL);
    assert_eq!(value(&store, "failed_total"), 0.0);
    // Refused: it executes again, and ends again.
    ledger.live(&store, run, "T", false, true);
    ledger.dropped(&store, "T", close, END);
    assert_eq!(value(&store, "failed_total"), 0.0);
    ledger.ended(&store, run, Some(started), Some("T"));
    // Somebody else's end, of another type and of another time.
    ledger.dropped(&store, "U", close, END);
    ledger.dropped(&store, "T", Close { started: started - Duration::from_secs(1), ..close }, END);
    assert_eq!(value(&store, "failed_total"), 0.0);
    ledger.dropped(&store, "T", close, END);
    ledger.dropped(&store, "T", close, END);
    assert_eq!(value(&store, "failed_total"), 1.0);
    assert_eq!(value(&store, "duration_seconds_sum"), 3.0);
    assert_eq!(value(&store, "started_total"), 1.0);
}

#[test]
fn a_benign_failure_that_was_not_accepted_is_let_go() {
    let store = Store::new(2_000);
    let ledger = ledger(&store);
    ledger.has_worker(1_000);
    ledger.has_worker(100);
    let started = std::time::SystemTime::now() - Duration::from_secs(3);
    let close = Close { duration: Duration::from_secs(3), started };
    ledger.ended(&store, RunKey::new("a"), Some(started), Some("T"));
    ledger.dropped(&store, "T", close, REFUSED);
    assert_eq!(ledger.remembered()[3], 0);
    // With a cache that may be full, it is held.
    ledger.ended(&store, RunKey::new("a"), Some(started), Some("T"));
    ledger.dropped(&store, "T", close, FULL);
    assert_eq!(ledger.remembered()[3], 1);
    ledger.dropped(&store, "T", close, END);
    assert_eq!(value(&store, "failed_total"), 1.0);
}

#[test]
fn of_two_benign_failures_at_one_time_nobody_guesses() {
    let store = Store::new(2_000);
    let ledger = ledger(&store);
    let started = std::time::SystemTime::now() - Duration::from_secs(3);
    let (first, second) = (RunKey::new("a"), RunKey::new("b"));
    ledger.ended(&store, first, Some(started), Some("T"));
    ledger.ended(&store, second, Some(started + Duration::from_millis(1)), Some("T"));
    ledger.dropped(&store, "T", Close { duration: Duration::from_secs(3), started }, END);
    // The second is refused, and executes again: the first is the one that counts.
    ledger.live(&store, second, "T", false, true);
    assert_eq!((value(&store, "failed_total"), ledger.remembered()[3]), (0.0, 1));
    ledger.dropped(&store, "T", Close { duration: Duration::from_secs(3), started }, END);
    assert_eq!((value(&store, "failed_total"), ledger.remembered()[3]), (1.0, 0));
}

#[test]
fn a_held_failure_too_many_is_counted() {
    let store = Store::new(2_000);
    let ledger = ledger(&store);
    (0..5_000).for_each(|run| ledger.ended(&store, RunKey::new(&run.to_string()), None, Some("T")));
    assert_eq!((value(&store, "failed_total"), ledger.remembered()[3]), (904.0, 4_096));
}

#[test]
fn a_run_starts_once_until_it_is_forgotten() {
    let store = Store::new(2_000);
    let ledger = ledger(&store);
    let run = RunKey::new("a");
    for _ in 0..3 {
        // Retries of the first workflow task.
        ledger.live(&store, run, "T", false, false);
    }
    ledger.accepted_first_task(run);
    // Core calls a first task live that left no trace.
    ledger.live(&store, run, "T", false, false);
    ledger.live(&store, run, "T", false, true);
    assert_eq!(value(&store, "started_total"), 1.0);
    // A reset to a later task: live after a replay, and then replayed again.
    let reset = RunKey::new("b");
    ledger.live(&store, reset, "T", true, true);
    ledger.live(&store, reset, "T", true, true);
    assert_eq!(value(&store, "started_total"), 2.0);
    ledger.accepted(&store, "T", Outcome::Completed, None);
    assert_eq!((value(&store, "completed_total"), value(&store, "duration_seconds_count")), (1.0, 1.0));
}

#[test]
fn what_is_remembered_is_bounded() {
    let store = Store::new(2_000);
    let ledger = ledger(&store);
    let kept = RunKey::new("kept");
    ledger.live(&store, kept, "T", false, false);
    for number in 0..70_000 {
        let run = RunKey::new(&number.to_string());
        ledger.live(&store, run, "T", number % 2 == 0, false);
        ledger.ended(&store, run, None, Some("T"));
        // Executed again and again, and so not forgotten.
        ledger.live(&store, kept, "T", false, false);
    }
    assert_eq!(value(&store, "started_total"), 70_001.0);
    assert!(ledger.remembered().iter().all(|runs| *runs <= 65_536), "{:?}", ledger.remembered());
}

#[test]
fn one_half_alone_is_said_once() {
    let log = log_of(|| {
        let store = Store::new(2_000);
        store.ledger.has_interceptor();
        (0..3).for_each(|run| store.ledger.live(&store, RunKey::new(&run.to_string()), "T", false, false));
        // Without the meter there are no outcomes, of benign failures neither.
        store.ledger.ended(&store, RunKey::new("0"), None, Some("T"));
        store.ledger.replayed_to_the_end(&store, RunKey::new("0"));
        assert_eq!(value(&store, "failed_total"), 0.0);
    });
    assert_eq!(log.matches("without its meter").count(), 1, "{log}");
    let log = log_of(|| {
        let store = Store::new(2_000);
        store.ledger.has_meter();
        (0..3).for_each(|_| store.ledger.accepted(&store, "T", Outcome::Failed, None));
    });
    assert_eq!(log.matches("without its interceptor").count(), 1, "{log}");
    let log = log_of(|| {
        let store = Store::new(2_000);
        ledger(&store).live(&store, RunKey::new("a"), "T", false, false);
        store.ledger.accepted(&store, "T", Outcome::Failed, None);
    });
    assert_eq!(log, "");
}

#[test]
fn an_outcome_leaves_no_latency_behind() {
    let service = MonitoringService::for_test();
    let (meter, store) = (service.temporal_meter(), service.store().expect("on"));
    // Held, and as old as the run of the same type that core has metrics for.
    let second = Duration::from_secs(1);
    let started = std::time::SystemTime::now() - second;
    ledger(store).ended(store, RunKey::new("benign"), Some(started), Some("T"));
    let run = |has_outcome: bool| {
        let own = meter.new_attributes(NewAttributes::from([MetricKeyValue::new("workflow_type", "T")]));
        let mut latency = meter.histogram_duration("temporal_workflow_endtoend_latency".into());
        latency.update_attributes(own.clone());
        let mut outcome = meter.counter("temporal_workflow_completed".into());
        outcome.update_attributes(own);
        latency.records(second);
        if has_outcome {
            outcome.adds(1);
        }
    };
    run(true);
    assert_eq!((value(store, "completed_total"), value(store, "failed_total")), (1.0, 0.0));
    // This one is the benign failure.
    run(false);
    assert_eq!((value(store, "completed_total"), value(store, "failed_total")), (1.0, 1.0));
}
