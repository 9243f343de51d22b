//! Faults of the instrumentation that a workflow must not notice, and what the ledger, the meter and the hooks of a worker count.
//! The replayer of the SDK runs a history that a real server recorded.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::FutureExt;
use temporalio_client::WorkflowHistory;
use temporalio_common::{
    protos::{
        coresdk::{
            workflow_activation::{
                QueryWorkflow, RemoveFromCache, WorkflowActivation, WorkflowActivationJob,
                remove_from_cache::EvictionReason, workflow_activation_job::Variant as Job,
            },
            workflow_commands::{FailWorkflowExecution, workflow_command::Variant as Command},
            workflow_completion::WorkflowActivationCompletion,
        },
        temporal::api::{
            enums::v1::ApplicationErrorCategory,
            failure::v1::{ApplicationFailureInfo, Failure, failure::FailureInfo},
        },
    },
    telemetry::metrics::{CounterBase, HistogramDurationBase, MetricKeyValue, NewAttributes},
};
use temporalio_sdk::{
    WorkerOptions, WorkflowContext, WorkflowContextView, WorkflowResult,
    interceptors::WorkerInterceptor,
    workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions},
    workflows::{workflow, workflow_methods},
};

use super::{
    ends::{Ends, Hooks, Returned},
    interceptor::running_time,
    ledger::{Ledger, Outcome, RunKey},
    service_ref::ServiceRef,
};
use crate::{
    MonitoringService,
    builtin::new_store,
    exposition::text::render,
    storage::store::Store,
    support::failpoint::{self, tests::log_of},
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
        // Not the names of the replayer, under which the interceptor only mutes.
        let options = options.register_workflow::<Play>().expect("registered");
        let options = options.namespace("orders").task_queue("orders").build();
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
    assert!(lines(&text, "compozy_replayed_steps_total").iter().all(|line| line.ends_with(" 0")), "{text}");
    assert_eq!(lines(&text, "foreign_steps_total"), ["foreign_steps_total 0"]);
    assert_eq!(lines(&text, "compozy_temporal_workflow_"), [""; 0]);
}

#[test]
fn no_workflow_notices_a_fault_of_its_interceptor() {
    let service = MonitoringService::for_test();
    let log = log_of(|| failpoint::armed("interceptor", || replay(&service)));
    assert_eq!(log.matches("Metric recording failed").count(), 1, "{log}");
    assert!(log.contains("metric=\"compozy_temporal_workflow_started_total\""), "{log}");
    let text = service.render();
    assert!(lines(&text, "compozy_replayed_steps_total").iter().all(|line| line.ends_with(" 0")), "{text}");
    assert_eq!(lines(&text, "compozy_monitoring_health"), ["compozy_monitoring_health 0"]);
}

#[test]
fn the_sdk_notices_no_fault_of_the_meter() {
    for place in ["instrument", "bind", "signal", "family", "series", "table", "resolve", "open"] {
        let service = MonitoringService::for_test();
        let _ = service.temporal_interceptor();
        let log = log_of(|| {
            failpoint::armed(place, || {
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

/// The ledger of a store, which has both the meter and the interceptor.
fn ledger(store: &Store) -> Arc<Ledger> {
    let ledger = store.extension::<Ledger>();
    ledger.set_meter();
    ledger.set_interceptor();
    ledger
}

fn value(store: &Store, family: &str) -> f64 {
    let text = render(store);
    let start = format!("compozy_temporal_workflow_{family}{{workflow_type=\"T\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0.0)
}

/// The hooks of a worker, called as the SDK calls them.
struct Told {
    hooks: Hooks,
    ends: Arc<Ends>,
}

impl Told {
    fn of(service: &MonitoringService) -> Self {
        let options = WorkerOptions::new("queue").build();
        ledger(service.store().expect("on"));
        let ends = Arc::new(Ends::new(ServiceRef::of(service.instance().expect("on")), &options));
        Self { hooks: Hooks(ends.clone()), ends }
    }

    /// The function of a run has returned, and this command went to core.
    fn sent(&self, run: &str, after_replay: bool, command: Command) {
        self.ends.returned(RunKey::new(run), Returned::new("T", Duration::from_secs(3), after_replay));
        self.complete(WorkflowActivationCompletion::from_cmds(run, vec![command]));
    }

    fn complete(&self, completion: WorkflowActivationCompletion) {
        let told = self.hooks.on_workflow_activation_completion(&completion);
        assert!(told.now_or_never().is_some());
    }

    fn activate(&self, run: &str, job: impl Into<WorkflowActivationJob>) {
        let activation = WorkflowActivation { run_id: run.to_owned(), jobs: vec![job.into()], ..Default::default() };
        let told = self.hooks.on_workflow_activation(&activation).now_or_never();
        assert!(told.expect("at once").is_ok());
    }

    fn evict(&self, run: &str, reason: EvictionReason) {
        self.activate(run, Job::RemoveFromCache(RemoveFromCache { message: String::new(), reason: reason.into() }));
    }

    fn query(&self, run: &str, query_id: &str) {
        self.activate(run, Job::QueryWorkflow(QueryWorkflow { query_id: query_id.to_owned(), ..Default::default() }));
    }
}

fn failure(category: ApplicationErrorCategory) -> Command {
    let info = ApplicationFailureInfo { category: category.into(), ..Default::default() };
    let failure_info = Some(FailureInfo::ApplicationFailureInfo(info));
    Command::FailWorkflowExecution(FailWorkflowExecution {
        failure: Some(Failure { failure_info, ..Default::default() }),
    })
}

fn benign() -> Command {
    failure(ApplicationErrorCategory::Benign)
}

/// Failures and durations.
fn counted(service: &MonitoringService) -> (f64, f64) {
    let store = service.store().expect("on");
    (value(store, "failed_total"), value(store, "duration_seconds_count"))
}

#[test]
fn what_the_server_made_of_an_end_decides() {
    use EvictionReason::*;
    for (reason, is_accepted) in [
        (WorkflowExecutionEnding, true),
        (CacheFull, true),
        (Unspecified, true),
        (UnhandledCommand, false),
        (TaskNotFound, false),
        (Fatal, false),
        (Nondeterminism, false),
        (LangFail, false),
        (LangRequested, false),
        (CacheMiss, false),
        (PaginationOrHistoryFetch, false),
    ] {
        let service = MonitoringService::for_test();
        let told = Told::of(&service);
        told.sent("benign", false, benign());
        told.sent("ordinary", false, failure(ApplicationErrorCategory::Unspecified));
        told.sent("completed", false, Command::CompleteWorkflowExecution(Default::default()));
        assert_eq!(counted(&service), (0.0, 0.0), "{reason:?}: before the answer");
        for _ in 0..2 {
            ["benign", "ordinary", "completed", "nobody"].iter().for_each(|run| told.evict(run, reason));
        }
        let expected = if is_accepted { (1.0, 3.0) } else { (0.0, 0.0) };
        assert_eq!(counted(&service), expected, "{reason:?}");
        assert_eq!(told.ends.remembered(), 0);
        let sum = value(service.store().expect("on"), "duration_seconds_sum");
        assert_eq!(sum, if is_accepted { 9.0 } else { 0.0 }, "{reason:?}");
    }
}

#[test]
fn what_was_sent_counts_and_not_what_was_returned() {
    let service = MonitoringService::for_test();
    let told = Told::of(&service);
    // Returned, and then the task failed.
    told.ends.returned(RunKey::new("a"), Returned::new("T", Duration::ZERO, false));
    told.complete(WorkflowActivationCompletion::fail("a", Failure::default(), None));
    told.evict("a", EvictionReason::CacheFull);
    // Returned, and nothing that ends it was sent.
    told.ends.returned(RunKey::new("b"), Returned::new("T", Duration::ZERO, false));
    told.complete(WorkflowActivationCompletion::from_cmds("b", vec![]));
    told.evict("b", EvictionReason::WorkflowExecutionEnding);
    // Sent in a replay, in which nothing returns.
    told.complete(WorkflowActivationCompletion::from_cmds("c", vec![benign()]));
    told.evict("c", EvictionReason::WorkflowExecutionEnding);
    assert_eq!(counted(&service), (0.0, 0.0));
    // Refused, and then accepted.
    told.sent("d", false, benign());
    told.evict("d", EvictionReason::UnhandledCommand);
    assert_eq!(counted(&service), (0.0, 0.0));
    told.sent("d", true, benign());
    told.evict("d", EvictionReason::CacheFull);
    assert_eq!(counted(&service), (1.0, 1.0));
}

#[test]
fn a_query_on_a_closed_run_ends_nothing() {
    let service = MonitoringService::for_test();
    let told = Told::of(&service);
    // Core replayed what the run had not handled when the server closed it.
    told.sent("a", true, benign());
    told.query("a", "legacy_query");
    told.evict("a", EvictionReason::WorkflowExecutionEnding);
    assert_eq!(counted(&service), (0.0, 0.0));
    // A query that comes with a task, and one that comes after the end of a run that was not replayed.
    told.sent("b", true, benign());
    told.query("b", "1");
    told.evict("b", EvictionReason::WorkflowExecutionEnding);
    told.sent("c", false, benign());
    told.query("c", "legacy_query");
    told.evict("c", EvictionReason::WorkflowExecutionEnding);
    assert_eq!(counted(&service), (2.0, 2.0));
}

#[test]
fn two_workers_with_one_run_do_not_meet() {
    let service = MonitoringService::for_test();
    let (late, other) = (Told::of(&service), Told::of(&service));
    late.sent("a", false, benign());
    // Its task had timed out, and the other worker took it.
    other.sent("a", false, benign());
    late.evict("a", EvictionReason::TaskNotFound);
    other.evict("a", EvictionReason::WorkflowExecutionEnding);
    assert_eq!(counted(&service), (1.0, 1.0));
}

#[test]
fn running_time_begins_with_the_first_task_that_could_run() {
    let at = |second: u64| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
    let seconds = |begins, first_task, task| running_time(begins, first_task, task).as_secs();
    // Waited for a worker, which counts.
    assert_eq!(seconds(at(10), at(13), at(20)), 10);
    // A signal came before the delay was over.
    assert_eq!(seconds(at(10), at(3), at(20)), 17);
    assert_eq!(seconds(at(10), at(3), at(5)), 2);
    // What the server did not say, or says of a time that was not yet.
    assert_eq!(seconds(None, at(3), at(5)), 2);
    assert_eq!(seconds(None, None, at(5)), 0);
    assert_eq!(seconds(at(10), at(12), None), 0);
    assert_eq!(seconds(at(10), at(12), at(8)), 0);
}

#[test]
fn a_worker_that_is_instrumented_twice_ends_a_run_once() {
    let service = MonitoringService::for_test();
    let (first, second) = (Told::of(&service), Told::of(&service));
    for told in [&first, &second] {
        told.sent("a", false, benign());
    }
    for told in [&first, &second] {
        told.evict("a", EvictionReason::WorkflowExecutionEnding);
    }
    assert_eq!(counted(&service), (1.0, 1.0));
    // Replayed for a query, and looked at by both.
    service.store().expect("on").extension::<Ledger>().accepted_first_task(RunKey::new("a"));
    second.sent("a", false, benign());
    second.evict("a", EvictionReason::WorkflowExecutionEnding);
    assert_eq!(counted(&service), (1.0, 1.0));
}

#[test]
fn a_fault_of_the_worker_interceptor_stays_inside() {
    let service = MonitoringService::for_test();
    let log = log_of(|| {
        failpoint::armed("worker interceptor", || {
            let told = Told::of(&service);
            told.sent("a", false, benign());
            told.evict("a", EvictionReason::WorkflowExecutionEnding);
        });
    });
    assert!(log.contains("Metric recording failed"), "{log}");
    assert_eq!(counted(&service), (0.0, 0.0));
}

#[test]
fn the_hooks_of_a_worker_allocate_nothing() {
    let service = MonitoringService::for_test();
    let told = Told::of(&service);
    let completion =
        WorkflowActivationCompletion::from_cmds("a", vec![Command::CompleteWorkflowExecution(Default::default())]);
    let job = Job::RemoveFromCache(RemoveFromCache { message: String::new(), reason: 1 });
    let activation = WorkflowActivation { run_id: "a".to_owned(), jobs: vec![job.into()], ..Default::default() };
    let hooks = || {
        assert!(told.hooks.on_workflow_activation_completion(&completion).now_or_never().is_some());
        assert!(told.hooks.on_workflow_activation(&activation).now_or_never().is_some());
    };
    hooks();
    assert_eq!(allocation_counter::measure(hooks).count_total, 0);
}

#[test]
fn ends_that_nobody_evicts_are_bounded() {
    let service = MonitoringService::for_test();
    let told = Told::of(&service);
    for run in 0..70_000 {
        told.ends.returned(RunKey::new(&run.to_string()), Returned::new("T", Duration::ZERO, false));
    }
    assert_eq!(told.ends.remembered(), 65_536);
}

#[test]
fn gauges_end_with_the_last_worker_of_their_queue() {
    let service = MonitoringService::for_test();
    let meter = service.temporal_meter();
    let (first, second) = (Told::of(&service), Told::of(&service));
    let slots = |queue: &'static str, value: u64| {
        let own = meter.new_attributes(NewAttributes::from([MetricKeyValue::new("task_queue", queue)]));
        meter.gauge("temporal_worker_task_slots_available".into()).record(value, &own);
    };
    let shown = |queue: &str| {
        let line = format!("temporal_worker_task_slots_available{{task_queue=\"{queue}\"}} ");
        service.render().lines().find_map(|l| l.strip_prefix(&line)?.parse::<f64>().ok())
    };
    slots("queue", 100);
    slots("by hand", 100);
    drop(first);
    assert_eq!(shown("queue"), Some(100.0));
    drop(second);
    assert_eq!((shown("queue"), shown("by hand")), (Some(0.0), Some(100.0)));
    // What core reports while it shuts down.
    slots("queue", 99);
    assert_eq!(shown("queue"), Some(0.0));
    let third = Told::of(&service);
    slots("queue", 98);
    assert_eq!(shown("queue"), Some(98.0));
    drop(third);
    assert_eq!(shown("queue"), Some(0.0));
}

#[test]
fn a_workflow_type_that_nobody_registered_names_no_series() {
    let service = MonitoringService::for_test();
    let meter = service.temporal_meter();
    let told = Told::of(&service);
    let bound = |pairs: &[(&'static str, &'static str)]| {
        let pairs = pairs.iter().map(|(name, value)| MetricKeyValue::new(*name, *value));
        let own = meter.new_attributes(NewAttributes::from(pairs));
        let mut failed = meter.counter("temporal_workflow_task_execution_failed".into());
        failed.update_attributes(own);
        failed
    };
    let foreign = bound(&[("task_queue", "queue"), ("workflow_type", "A")]);
    let early = bound(&[("task_queue", "queue"), ("workflow_type", "T")]);
    let activity = bound(&[("task_queue", "queue"), ("workflow_type", "B"), ("activity_type", "work")]);
    let by_hand = bound(&[("task_queue", "another"), ("workflow_type", "C")]);
    assert!(!service.render().contains("unregistered"));
    foreign.adds(1);
    early.adds(1);
    told.ends.queue().runs("T");
    [&foreign, &early, &activity, &by_hand].iter().for_each(|counter| counter.adds(1));
    let text = service.render();
    let family: Vec<&str> = lines(&text, "temporal_workflow_task_execution_failed{");
    assert_eq!(
        family,
        [
            "temporal_workflow_task_execution_failed{activity_type=\"work\",task_queue=\"queue\",workflow_type=\"B\"} 1",
            "temporal_workflow_task_execution_failed{task_queue=\"another\",workflow_type=\"C\"} 1",
            "temporal_workflow_task_execution_failed{task_queue=\"queue\",workflow_type=\"T\"} 1",
            "temporal_workflow_task_execution_failed{task_queue=\"queue\",workflow_type=\"unregistered\"} 3",
        ]
    );
}

#[test]
fn a_run_starts_once_until_it_is_forgotten() {
    let store = new_store(2_000);
    let ledger = ledger(&store);
    let run = RunKey::new("a");
    for _ in 0..3 {
        // Retries of the first workflow task.
        ledger.live(&store, run, "T", false, false);
    }
    ledger.accepted_first_task(run);
    // Core does not report a first task as a replay if it left no event.
    ledger.live(&store, run, "T", false, false);
    ledger.live(&store, run, "T", false, true);
    assert_eq!(value(&store, "started_total"), 1.0);
    // A reset to a later task: live after a replay, and then replayed again.
    let reset = RunKey::new("b");
    ledger.live(&store, reset, "T", true, true);
    ledger.live(&store, reset, "T", true, true);
    assert_eq!(value(&store, "started_total"), 2.0);
    ledger.accepted(&store, "T", Outcome::Completed, None);
    assert_eq!((value(&store, "completed_total"), value(&store, "duration_seconds_count")), (1.0, 0.0));
    ledger.accepted(&store, "T", Outcome::Completed, Some(Duration::from_secs(1)));
    assert_eq!((value(&store, "completed_total"), value(&store, "duration_seconds_count")), (2.0, 1.0));
}

#[test]
fn what_is_remembered_is_bounded() {
    let store = new_store(2_000);
    let ledger = ledger(&store);
    let kept = RunKey::new("kept");
    ledger.live(&store, kept, "T", false, false);
    for number in 0..70_000 {
        let run = RunKey::new(&number.to_string());
        ledger.live(&store, run, "T", number % 2 == 0, false);
        ledger.accepted_first_task(run);
        // Executed again and again, and so not forgotten.
        ledger.live(&store, kept, "T", false, false);
    }
    assert_eq!(value(&store, "started_total"), 70_001.0);
    assert!(ledger.remembered().iter().all(|runs| *runs <= 65_536), "{:?}", ledger.remembered());
}

#[test]
fn one_half_alone_is_said_once() {
    let log = log_of(|| {
        let store = new_store(2_000);
        store.extension::<Ledger>().set_interceptor();
        (0..3)
            .for_each(|run| store.extension::<Ledger>().live(&store, RunKey::new(&run.to_string()), "T", false, false));
        // Without the meter there are no outcomes, of benign failures neither, and no durations.
        store.extension::<Ledger>().closed(&store, RunKey::new("0"), "T", Duration::ZERO, true);
        assert_eq!((value(&store, "failed_total"), value(&store, "duration_seconds_count")), (0.0, 0.0));
    });
    assert_eq!(log.matches("without its meter").count(), 1, "{log}");
    let log = log_of(|| {
        let store = new_store(2_000);
        store.extension::<Ledger>().set_meter();
        (0..3).for_each(|_| store.extension::<Ledger>().accepted(&store, "T", Outcome::Failed, None));
    });
    assert_eq!(log.matches("without its interceptor").count(), 1, "{log}");
    let log = log_of(|| {
        let store = new_store(2_000);
        ledger(&store).live(&store, RunKey::new("a"), "T", false, false);
        store.extension::<Ledger>().accepted(&store, "T", Outcome::Failed, None);
    });
    assert_eq!(log, "");
}

#[test]
fn the_clock_on_the_wall_is_not_read() {
    let sources = [
        include_str!("ends.rs"),
        include_str!("interceptor.rs"),
        include_str!("ledger.rs"),
        include_str!("meter.rs"),
        include_str!("queue.rs"),
    ];
    assert!(sources.iter().all(|source| !source.contains("SystemTime::now")));
}
