//! How runs end: what was sent and what the server took decides, whatever the function returned.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use compozy_monitoring::MonitoringService;
use temporalio_client::{
    WorkflowCancelOptions, WorkflowExecuteUpdateOptions, WorkflowFetchHistoryOptions, WorkflowQueryOptions,
    WorkflowSignalOptions, WorkflowStartOptions, WorkflowTerminateOptions,
};
use temporalio_common::protos::{
    coresdk::workflow_completion::WorkflowActivationCompletion,
    temporal::api::{enums::v1::EventType, history::v1::HistoryEvent},
};
use temporalio_sdk::interceptors::WorkerInterceptor;

use crate::{
    common::{size, sum},
    play::{Act, Play},
    stage::{BOTH, Halves, RunningWorker, Stage, finish, play, play_in},
};

type Handle = temporalio_client::WorkflowHandle<temporalio_client::Client, Play>;

async fn go(handle: &Handle) {
    handle.signal(Play::go, (), WorkflowSignalOptions::default()).await.expect("signalled");
}

async fn terminate(handle: &Handle) {
    let _ = handle.terminate(WorkflowTerminateOptions::default()).await;
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn failed(stage: &Stage) -> f64 {
    stage.sum("compozy_temporal_workflow_failed_total")
}

/// A worker that is as good as another process: what it does is in nobody's ledger.
fn elsewhere(stage: &Stage) -> RunningWorker {
    stage.worker_with(100, Halves { meter: false, interceptor: false })
}

/// The function returns a benign failure, and then its workflow task fails. Again and again.
async fn open(stage: Arc<Stage>, cache: usize) {
    let _worker = stage.worker(cache);
    let mut handles = Vec::new();
    for act in [Act::ForceFail, Act::ForeignWake] {
        // A second failure of the same task is not reported: the task has to time out.
        let options = WorkflowStartOptions::new(&stage.queue, stage.id()).task_timeout(Duration::from_secs(1)).build();
        handles.push(stage.start_with(act, options).await);
    }
    until(|| stage.sum("temporal_workflow_task_execution_failed") >= 6.0).await;
    stage.settle(0).await;
    assert_eq!(failed(&stage), 0.0);
    for handle in &handles {
        terminate(handle).await;
    }
    stage.settle(0).await;
    assert_eq!(failed(&stage), 0.0);
}

#[test]
fn nothing_ends_a_run_that_is_open() {
    play("open-100", |stage| open(stage, 100));
}

#[test]
fn nothing_ends_a_run_that_is_open_without_a_cache() {
    play("open-0", |stage| open(stage, 0));
}

/// What the SDK makes of a benign failure before it sends it.
async fn other_than_returned(stage: Arc<Stage>, cache: usize) {
    let worker = stage.worker(cache);
    let cancelled = stage.start(Act::BenignWhenCancelled).await;
    until(|| stage.sum("compozy_temporal_workflow_started_total") == 1.0).await;
    cancelled.cancel(WorkflowCancelOptions::default()).await.expect("cancelled");
    finish(&cancelled).await;
    stage.run(Act::BadDetails).await;
    worker.stop();
    stage.settle(0).await;
    assert_eq!(stage.sum("compozy_temporal_workflow_canceled_total"), 1.0);
    assert_eq!(failed(&stage), 1.0);
}

#[test]
fn a_benign_failure_that_becomes_something_else_counts_as_that() {
    play("become-100", |stage| other_than_returned(stage, 100));
}

#[test]
fn a_benign_failure_that_becomes_something_else_counts_as_that_without_a_cache() {
    play("become-0", |stage| other_than_returned(stage, 0));
}

/// Runs that end at the moment at which they are terminated: the server says which it was.
async fn race(stage: Arc<Stage>, cache: usize) {
    let worker = stage.worker(cache);
    let acts = (0..30).map(|number| if number % 3 == 0 { Act::DoneOnGo } else { Act::BenignOnGo });
    let handles = futures::future::join_all(acts.map(|act| stage.start(act))).await;
    until(|| stage.sum("compozy_temporal_workflow_started_total") == 30.0).await;
    let ends = handles.iter().enumerate().map(|(number, handle)| async move {
        go(handle).await;
        tokio::time::sleep(Duration::from_millis(number as u64 % 10)).await;
        terminate(handle).await;
    });
    futures::future::join_all(ends).await;
    stage.settle(0).await;
    worker.stop();
    stage.settle(0).await;
}

#[test]
fn a_race_with_a_termination_ends_as_the_server_has_it() {
    play("race-100", |stage| race(stage, 100));
}

#[test]
fn a_race_with_a_termination_ends_as_the_server_has_it_without_a_cache() {
    play("race-0", |stage| race(stage, 0));
}

#[test]
fn a_race_with_a_termination_ends_as_the_server_has_it_with_a_cache_of_three() {
    play("race-3", |stage| race(stage, 3));
}

/// Many that start together; a worker that stops has counted them.
async fn together(stage: Arc<Stage>, cache: usize, number: u32) {
    let worker = stage.worker(cache);
    let starts = (0..number).map(|_| stage.start(Act::Benign));
    let handles = futures::future::join_all(starts).await;
    for handle in &handles {
        finish(handle).await;
    }
    stage.run(Act::FanOut(number / 2, Box::new(Act::Benign))).await;
    worker.stop();
    let of = |kind: &str| stage.value(&format!("compozy_temporal_workflow_failed_total{{workflow_type=\"{kind}\"}}"));
    assert_eq!((of("Play"), of("Child")), (f64::from(number), f64::from(number / 2)));
    stage.settle_types(&["Play", "Child"], 0).await;
}

#[test]
fn benign_failures_that_start_together_are_counted_before_their_worker_stops() {
    play("together-1000", |stage| together(stage, 1_000, size(100, 200)));
}

#[test]
fn benign_failures_that_start_together_are_counted_before_their_worker_stops_without_a_cache() {
    play("together-0", |stage| together(stage, 0, 40));
}

/// The server closed a run that had a signal to handle: core hands it out when somebody asks.
async fn asked_after_its_end(stage: Arc<Stage>, cache: usize) {
    let worker = stage.worker(cache);
    let mut handles = Vec::new();
    for act in [Act::BenignOnGo, Act::DoneOnGo] {
        handles.push(stage.start(act).await);
    }
    until(|| stage.sum("temporal_workflow_task_execution_latency_count") >= 4.0).await;
    worker.stop();
    for handle in &handles {
        go(handle).await;
        terminate(handle).await;
    }
    let worker = stage.worker(cache);
    for handle in &handles {
        for _ in 0..3 {
            let _ = handle.query(Play::gone, (), WorkflowQueryOptions::default()).await;
        }
    }
    worker.stop();
    stage.settle(0).await;
    assert_eq!(failed(&stage), 0.0);
}

#[test]
fn a_query_on_a_terminated_run_ends_nothing() {
    play("asked-100", |stage| asked_after_its_end(stage, 100));
}

#[test]
fn a_query_on_a_terminated_run_ends_nothing_without_a_cache() {
    play("asked-0", |stage| asked_after_its_end(stage, 0));
}

#[test]
fn a_duration_is_running_time() {
    play("durations", |stage| async move {
        let worker = stage.worker(100);
        let delayed = |act: &str| -> Handle {
            let id = stage.id();
            let arguments = ["workflow", "start", "--type", "Play", "--task-queue", &stage.queue, "--workflow-id", &id];
            stage.server.cli(&[&arguments[..], &["--input", act, "--start-delay", "8s"]].concat());
            stage.client.get_workflow_handle(id)
        };
        let (done, benign) = (delayed("\"Done\""), delayed("\"Benign\""));
        // A signal starts it at once: it is not less than no time.
        let signalled = delayed("\"DoneOnGo\"");
        go(&signalled).await;
        finish(&signalled).await;
        let slept = stage.start(Act::Sleep(2_000)).await;
        let mut by_the_server = 0.0;
        for handle in [&done, &benign, &signalled, &slept] {
            finish(handle).await;
            let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
            let events = history.into_events().await.expect("a history");
            let time =
                |event: &HistoryEvent| -> SystemTime { event.event_time.expect("known").try_into().expect("a time") };
            let is_task = |event: &&HistoryEvent| event.event_type() == EventType::WorkflowTaskScheduled;
            let first_task = time(events.iter().find(is_task).expect("a workflow task"));
            let end = time(events.last().expect("an end"));
            by_the_server += end.duration_since(first_task).expect("later").as_secs_f64();
        }
        worker.stop();
        stage.settle(0).await;
        // With the delays it would be sixteen seconds more.
        let ours = stage.sum("compozy_temporal_workflow_duration_seconds_sum");
        assert!((ours - by_the_server).abs() < 5.0 && ours > 2.0, "ours {ours}, the server's {by_the_server}");
    });
}

#[test]
fn a_worker_that_stopped_has_no_slots() {
    play("slots", |stage| async move {
        let gauges = || {
            ["worker_task_slots_available", "worker_task_slots_used", "num_pollers", "sticky_cache_size"]
                .map(|name| stage.sum(&format!("temporal_{name}")))
        };
        // A clone of a worker's options makes another worker.
        let options = stage.worker_options(100, BOTH);
        let first = stage.worker_of(options.clone(), true);
        let second = stage.worker_of(options, true);
        let open = stage.start(Act::Wait).await;
        until(|| stage.sum("compozy_temporal_workflow_started_total") == 1.0).await;
        assert!(gauges()[0] > 0.0 && gauges()[2] > 0.0, "{:?}", gauges());
        first.stop();
        assert!(gauges()[0] > 0.0, "{:?}", gauges());
        second.kill();
        assert_eq!(gauges(), [0.0; 4]);
        let third = stage.worker(100);
        go(&open).await;
        finish(&open).await;
        until(|| gauges()[0] > 0.0).await;
        third.stop();
        assert_eq!(gauges(), [0.0; 4]);
    });
}

/// An interceptor of the application's.
struct Theirs(&'static str, Arc<Mutex<Vec<&'static str>>>);

// Written out, as `async_trait` would have it.
impl WorkerInterceptor for Theirs {
    fn on_workflow_activation_completion<'a, 'b, 'c>(
        &'a self,
        _: &'b WorkflowActivationCompletion,
    ) -> Pin<Box<dyn Future<Output = ()> + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.1.lock().expect("no panic").push(self.0);
        Box::pin(std::future::ready(()))
    }
}

#[test]
fn a_worker_instrumented_twice_beside_other_interceptors_counts_once() {
    play("twice", |stage| async move {
        let seen = Arc::default();
        let mut options = stage.worker_options(100, Halves { meter: true, interceptor: false });
        options.worker_interceptor(Theirs("before", Arc::clone(&seen)));
        stage.service.instrument_worker(&mut options);
        options.worker_interceptor(Theirs("after", Arc::clone(&seen)));
        stage.service.instrument_worker(&mut options);
        let worker = stage.worker_of(options, true);
        for act in [Act::Done, Act::Benign, Act::BenignLater, Act::Again(1), Act::Steps(2), Act::PanicFirst(1)] {
            stage.run(act).await;
        }
        worker.stop();
        stage.settle(0).await;
        assert_eq!(stage.value("compozy_play_steps_total"), 2.0);
        assert_eq!(stage.sum("temporal_worker_task_slots_available"), 0.0);
        let seen = seen.lock().expect("no panic");
        assert!(seen.len() >= 14 && seen.chunks(2).all(|pair| pair == ["before", "after"]), "{seen:?}");
    });
}

#[test]
fn a_service_that_is_shut_down_leaves_its_worker_alone() {
    play("shut-down", |stage| async move {
        // Another service looks at the same worker, without its meter.
        let other = MonitoringService::for_test();
        let mut options = stage.worker_options(100, BOTH);
        other.instrument_worker(&mut options);
        let worker = stage.worker_of(options, true);
        let open = stage.start(Act::BenignOnGo).await;
        stage.run(Act::Done).await;
        until(|| stage.sum("compozy_temporal_workflow_completed_total") == 1.0).await;
        stage.service.shutdown();
        go(&open).await;
        finish(&open).await;
        stage.run(Act::Steps(2)).await;
        worker.stop();
        // Made while it is off.
        let worker = stage.worker(100);
        stage.run(Act::Done).await;
        worker.stop();
        assert_eq!(stage.service.render(), "");
        let text = other.render();
        assert_eq!(sum(&text, "compozy_temporal_workflow_started_total"), 3.0, "{text}");
        assert_eq!(sum(&text, "compozy_temporal_workflow_duration_seconds_count"), 0.0, "{text}");
    });
}

#[test]
fn whoever_starts_a_workflow_names_no_series() {
    play("foreign", |stage| async move {
        let worker = stage.worker(100);
        let queue = stage.queue.as_str();
        let ids: Vec<String> = (0..4).map(|_| stage.id()).collect();
        for (number, id) in ids.iter().enumerate() {
            let kind = format!("Nobody{number}");
            stage.server.cli(&["workflow", "start", "--type", &kind, "--task-queue", queue, "--workflow-id", id]);
        }
        stage.run(Act::Done).await;
        until(|| stage.sum("temporal_workflow_task_execution_failed") >= 4.0).await;
        worker.stop();
        let text = stage.service.render();
        assert!(!text.contains("Nobody"), "{text}");
        assert!(text.contains("workflow_type=\"unregistered\""), "{text}");
        // The first run of a type has its own name, though core made its instruments before its code ran.
        let own =
            |line: &str| line.starts_with("temporal_workflow_completed{") && line.contains("workflow_type=\"Play\"");
        assert!(text.lines().any(|line| own(line) && line.ends_with(" 1")), "{text}");
        for id in &ids {
            stage.server.cli(&["workflow", "terminate", "--workflow-id", id]);
        }
    });
}

#[test]
fn a_run_that_began_elsewhere_without_a_trace_is_not_started_here() {
    play("traceless-elsewhere", |stage| async move {
        let other = elsewhere(&stage);
        // Its first task leaves no command, or only heartbeats of a local activity.
        let waits = stage.start(Act::Wait).await;
        waits.query(Play::gone, (), WorkflowQueryOptions::default()).await.expect("answered");
        let options = WorkflowStartOptions::new(&stage.queue, stage.id()).task_timeout(Duration::from_secs(1)).build();
        let works = stage.start_with(Act::LongLocalActivity, options).await;
        let beats = || async {
            let history =
                works.fetch_history(WorkflowFetchHistoryOptions::default()).into_events().await.expect("a history");
            history.len() >= 7
        };
        while !beats().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        other.kill();
        let worker = stage.worker(100);
        let poked = waits.execute_update(Play::poke, 1, WorkflowExecuteUpdateOptions::default()).await;
        assert_eq!(poked.expect("poked"), 1);
        go(&waits).await;
        for handle in [&waits, &works] {
            finish(handle).await;
        }
        worker.stop();
        stage.settle(2).await;
        assert_eq!(stage.sum("compozy_temporal_workflow_started_total"), 0.0);
        assert_eq!(stage.sum("compozy_temporal_workflow_completed_total"), 2.0);
    });
}

#[test]
fn a_namespace_called_as_the_replayers_is_like_any_other() {
    play_in("ReplayNamespace", "replays-not", |stage| async move {
        let worker = stage.worker(100);
        for act in [Act::Done, Act::Benign, Act::Steps(2)] {
            stage.run(act).await;
        }
        worker.stop();
        stage.settle(0).await;
        assert_eq!(stage.sum("compozy_temporal_workflow_started_total"), 3.0);
        assert_eq!(stage.value("compozy_play_steps_total"), 2.0);
    });
}
