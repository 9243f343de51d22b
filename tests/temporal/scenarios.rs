//! One test a rule.

use std::time::Duration;

use temporalio_client::{
    WorkflowCancelOptions, WorkflowExecuteUpdateOptions, WorkflowFetchHistoryOptions, WorkflowQueryOptions,
    WorkflowSignalOptions, WorkflowStartOptions, WorkflowTerminateOptions,
};
use temporalio_common::{
    RetryPolicy,
    protos::temporal::api::{enums::v1::WorkflowTaskFailedCause, history::v1::history_event::Attributes},
};

use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};

use crate::{
    common::size,
    play::{Act, Gate, Play},
    stage::{Halves, Stage, finish, play, play_alone},
};

/// Runs of every simple kind, with a cache of this size.
async fn mixed(stage: &Stage, cache: usize) {
    let worker = stage.worker(cache);
    let acts = [
        Act::Done,
        Act::Fail,
        Act::Benign,
        Act::BenignLater,
        Act::FailLater,
        Act::Steps(3),
        Act::Steps(3),
        Act::Again(3),
        Act::Activity,
    ];
    let mut handles = Vec::new();
    for act in acts {
        handles.push(stage.start(act).await);
    }
    for handle in &handles {
        finish(handle).await;
    }
    stage.settle(0).await;
    // Twelve runs: one of them has three more behind it.
    assert_eq!(stage.value("compozy_play_runs_total"), 12.0);
    assert_eq!(stage.value("compozy_play_steps_total"), 6.0);
    assert_eq!(stage.sum("compozy_play_steps_by_kind_total"), 6.0);
    assert_eq!(stage.value("foreign_play_steps_total"), 6.0);
    assert_eq!(stage.value("compozy_play_guards_total"), 12.0);
    assert_eq!(stage.value("compozy_play_activities_total"), 1.0);
    assert_eq!(stage.value("compozy_play_inits_total"), 0.0);
    worker.stop();
    assert_eq!(stage.value("compozy_temporal_workers_running_total"), 0.0);
}

#[test]
fn every_end_is_counted_once() {
    play("mixed-100", |stage| async move { mixed(&stage, 100).await });
}

#[test]
fn every_end_is_counted_once_without_a_cache() {
    play("mixed-0", |stage| async move { mixed(&stage, 0).await });
}

#[test]
fn every_end_is_counted_once_with_a_cache_of_one() {
    play("mixed-1", |stage| async move { mixed(&stage, 1).await });
}

#[test]
fn a_panic_is_a_retried_task_and_not_another_start() {
    play("panic", |stage| async move {
        let _worker = stage.worker(100);
        let mut handles = Vec::new();
        for act in [Act::PanicFirst(1), Act::PanicFirst(2), Act::PanicLater(1), Act::PanicLater(2)] {
            // A second failure of the same task is not reported: the task has to time out. No other task may, however busy
            // the machine is: it would be one more attempt.
            let options =
                WorkflowStartOptions::new(&stage.queue, stage.id()).task_timeout(Duration::from_secs(5)).build();
            handles.push(stage.start_with(act, options).await);
        }
        for handle in &handles {
            finish(handle).await;
        }
        stage.settle(0).await;
        // A retried task counts again what it does again: this is what an attempt is.
        assert_eq!(stage.value("compozy_play_runs_total"), (2 + 3 + 1 + 1) as f64);
        assert_eq!(stage.value("compozy_play_steps_total"), (2 + 3) as f64);
    });
}

#[test]
fn cancellation_and_termination_at_any_time() {
    play("cancel", |stage| async move {
        let cancel = WorkflowCancelOptions::default;
        // Before a worker is there, so that the first task sees both the start and the request.
        let early = stage.start(Act::Wait).await;
        early.cancel(cancel()).await.expect("cancelled");
        let delayed = |id: &str, delay: &str| {
            let arguments = ["workflow", "start", "--type", "Play", "--task-queue", &stage.queue, "--workflow-id", id];
            let more = ["--input", "\"Wait\"", "--start-delay", delay];
            stage.server.cli(&[&arguments[..], &more[..]].concat());
        };
        // A cancellation waits for the run to begin; a termination means that it never does.
        let (later_on, never) = (stage.id(), stage.id());
        delayed(&later_on, "3s");
        delayed(&never, "600s");
        stage.client.get_workflow_handle::<Play>(&later_on).cancel(cancel()).await.expect("cancelled");
        let never = stage.client.get_workflow_handle::<Play>(&never);
        never.terminate(WorkflowTerminateOptions::default()).await.expect("terminated");

        let _worker = stage.worker(100);
        let during = stage.start(Act::Wait).await;
        let terminated = stage.start(Act::Wait).await;
        let timed_out = WorkflowStartOptions::new(&stage.queue, stage.id()).execution_timeout(Duration::from_secs(2));
        let timed_out = stage.start_with(Act::Wait, timed_out.build()).await;
        let open = stage.start(Act::Wait).await;
        while stage.sum("compozy_temporal_workflow_started_total") < 6.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        during.cancel(cancel()).await.expect("cancelled");
        terminated.terminate(WorkflowTerminateOptions::default()).await.expect("terminated");
        for handle in [&early, &during, &terminated, &timed_out] {
            finish(handle).await;
        }
        stage.settle(1).await;
        assert_eq!(stage.sum("compozy_temporal_workflow_canceled_total"), 3.0);
        open.terminate(WorkflowTerminateOptions::default()).await.expect("terminated");
        stage.settle(1).await;
    });
}

#[test]
fn each_attempt_and_each_tick_is_a_run_of_its_own() {
    play("retry", |stage| async move {
        let _worker = stage.worker(100);
        let policy = RetryPolicy::builder().initial_interval(Duration::from_millis(100)).maximum_attempts(5).build();
        let options = WorkflowStartOptions::new(&stage.queue, stage.id()).retry_policy(policy).build();
        finish(&stage.start_with(Act::Retry(3), options).await).await;
        let cron = WorkflowStartOptions::new(&stage.queue, stage.id()).cron_schedule("@every 1s".to_owned()).build();
        let cron = stage.start_with(Act::Done, cron).await;
        while stage.sum("compozy_temporal_workflow_completed_total") < 4.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // In the backoff before its next tick, or just begun: then it is one more that was started.
        cron.terminate(WorkflowTerminateOptions::default()).await.expect("terminated");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let server_started = stage.sum("compozy_temporal_workflow_started_total");
        let ended = stage.sum("compozy_temporal_workflow_duration_seconds_count");
        assert!(server_started - ended <= 1.0);
        stage.settle(if server_started == ended { 1 } else { 0 }).await;
        assert_eq!(stage.sum("compozy_temporal_workflow_failed_total"), 2.0);
    });
}

#[test]
fn a_schedule_counts_like_anybody_else() {
    play("schedule", |stage| async move {
        let _worker = stage.worker(100);
        let (queue, id) = (stage.queue.as_str(), stage.id());
        let schedule = ["--schedule-id", &id, "--interval", "1s"];
        let action = ["--task-queue", queue, "--type", "Play", "--workflow-id", &id, "--input", "\"Done\""];
        stage.server.cli(&[&["schedule", "create"][..], &schedule[..], &action[..]].concat());
        while stage.sum("compozy_temporal_workflow_completed_total") < 2.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stage.server.cli(&["schedule", "delete", "--schedule-id", &id]);
        stage.settle(0).await;
    });
}

#[test]
fn a_reset_makes_one_more_run() {
    play("reset", |stage| async move {
        let worker = stage.worker(100);
        for kind in ["FirstWorkflowTask", "LastWorkflowTask"] {
            for act in [Act::Steps(2), Act::BenignLater] {
                let handle = stage.start(act).await;
                finish(&handle).await;
                let id = handle.info().workflow_id.clone();
                stage.server.cli(&["workflow", "reset", "--workflow-id", &id, "--type", kind, "--reason", "a test"]);
                finish(&handle).await;
            }
        }
        // A run made by a reset is evicted and replayed, and does not start again.
        let handle = stage.start(Act::Wait).await;
        go(&handle).await;
        finish(&handle).await;
        let id = handle.info().workflow_id.clone();
        stage.server.cli(&["workflow", "reset", "--workflow-id", &id, "--type", "LastWorkflowTask", "--reason", "x"]);
        finish(&handle).await;
        stage.settle(0).await;
        assert_eq!(gone(&handle).await, 1);
        worker.stop();
        let _another = stage.worker(0);
        assert_eq!(gone(&handle).await, 1);
        // Replayed and live again in each of its workflow tasks.
        let handle = stage.start(Act::Steps(2)).await;
        finish(&handle).await;
        let id = handle.info().workflow_id.clone();
        stage.server.cli(&["workflow", "reset", "--workflow-id", &id, "--type", "FirstWorkflowTask", "--reason", "x"]);
        finish(&handle).await;
        stage.settle(0).await;
    });
}

async fn go(handle: &temporalio_client::WorkflowHandle<temporalio_client::Client, Play>) {
    handle.signal(Play::go, (), WorkflowSignalOptions::default()).await.expect("signalled");
}

async fn gone(handle: &temporalio_client::WorkflowHandle<temporalio_client::Client, Play>) -> u32 {
    handle.query(Play::gone, (), WorkflowQueryOptions::default()).await.expect("answered")
}

/// A signal arrives while the workflow task that ends the run is being worked on: the server refuses the end.
async fn refused(stage: &Stage, cache: usize) {
    let _worker = stage.worker(cache);
    for (later, then) in [(false, Act::Done), (true, Act::Done), (false, Act::Benign), (true, Act::Benign)] {
        for then in [then, Act::Fail] {
            let handle = stage.start(Act::Held { later, then: Box::new(then) }).await;
            let gate = Gate::of(&handle.info().workflow_id);
            let waiting = gate.clone();
            tokio::task::spawn_blocking(move || waiting.wait()).await.expect("there");
            go(&handle).await;
            gate.open();
            finish(&handle).await;
            let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
            let refusals = history.into_events().await.expect("a history").into_iter().filter(|event| {
                matches!(&event.attributes, Some(Attributes::WorkflowTaskFailedEventAttributes(failed))
                    if failed.cause() == WorkflowTaskFailedCause::UnhandledCommand)
            });
            assert_eq!(refusals.count(), 1, "the server was to refuse the first completion");
        }
    }
    stage.settle(0).await;
    assert_eq!(stage.sum("compozy_temporal_workflow_started_total"), 8.0);
    assert_eq!(stage.value("compozy_play_signals_total"), 8.0);
}

#[test]
fn a_completion_that_the_server_refused_is_not_counted() {
    play("refused-100", |stage| async move { refused(&stage, 100).await });
}

#[test]
fn a_completion_that_the_server_refused_is_not_counted_without_a_cache() {
    play("refused-0", |stage| async move { refused(&stage, 0).await });
}

#[test]
fn a_benign_failure_that_the_server_never_took_is_not_counted() {
    play("terminated", |stage| async move {
        let worker = stage.worker(100);
        let handle = stage.start(Act::Held { later: true, then: Box::new(Act::Benign) }).await;
        let gate = Gate::of(&handle.info().workflow_id);
        let waiting = gate.clone();
        tokio::task::spawn_blocking(move || waiting.wait()).await.expect("there");
        handle.terminate(WorkflowTerminateOptions::default()).await.expect("terminated");
        gate.open();
        worker.stop();
        stage.settle(0).await;
        assert_eq!(stage.sum("compozy_temporal_workflow_failed_total"), 0.0);
    });
}

/// Queries, signals and updates, over evictions and a restart.
async fn messages(stage: &Stage, cache: usize) {
    let worker = stage.worker(cache);
    let handle = stage.start(Act::WaitLater).await;
    for _ in 0..3 {
        assert_eq!(gone(&handle).await, 0);
    }
    let poke = |by| handle.execute_update(Play::poke, by, WorkflowExecuteUpdateOptions::default());
    assert_eq!(poke(2).await.expect("poked"), 2);
    assert_eq!(poke(3).await.expect("poked"), 5);
    go(&handle).await;
    finish(&handle).await;
    for _ in 0..3 {
        assert_eq!(gone(&handle).await, 1);
    }
    stage.settle(0).await;
    worker.stop();
    let worker = stage.worker(cache);
    for _ in 0..3 {
        assert_eq!(gone(&handle).await, 1);
    }
    stage.settle(0).await;
    worker.stop();
    assert_eq!(stage.value("compozy_play_runs_total"), 1.0);
    assert_eq!(stage.value("compozy_play_steps_total"), 1.0);
    assert_eq!(stage.value("compozy_play_signals_total"), 1.0);
    assert_eq!(stage.value("compozy_play_updates_total"), 4.0);
    assert_eq!(stage.value("compozy_play_validations_total"), 2.0);
    assert_eq!(stage.value("compozy_play_queries_total"), 9.0);
    assert_eq!(stage.value("compozy_play_inits_total"), 0.0);
    assert_eq!(stage.value("compozy_play_guards_total"), 1.0);
}

#[test]
fn messages_count_once_and_queries_always() {
    play("messages-100", |stage| async move { messages(&stage, 100).await });
}

#[test]
fn messages_count_once_and_queries_always_without_a_cache() {
    play("messages-0", |stage| async move { messages(&stage, 0).await });
}

/// A first workflow task that leaves no command behind it: after an eviction, core calls it and the next one live.
#[test]
fn a_first_task_without_a_trace_starts_once() {
    play("traceless", |stage| async move {
        let worker = stage.worker(0);
        let handle = stage.start(Act::Wait).await;
        for by in 1..4 {
            handle.execute_update(Play::poke, by, WorkflowExecuteUpdateOptions::default()).await.expect("poked");
            gone(&handle).await;
        }
        go(&handle).await;
        finish(&handle).await;
        stage.settle(0).await;
        worker.stop();
    });
}

#[test]
fn children_are_runs_of_their_own_type() {
    play("children", |stage| async move {
        let _worker = stage.worker(100);
        stage.run(Act::Children(vec![Act::Done, Act::Fail, Act::Benign, Act::Done])).await;
        stage.settle_types(&["Play", "Child"], 0).await;
        let failed = "compozy_temporal_workflow_failed_total{workflow_type=\"Child\"}";
        assert_eq!(stage.value(failed), 2.0);
    });
}

#[test]
fn local_activities_and_flaky_ones() {
    play("activities", |stage| async move {
        let _worker = stage.worker(100);
        stage.run(Act::LocalActivity).await;
        stage.run(Act::Flaky(2)).await;
        stage.settle(0).await;
        assert_eq!(stage.value("compozy_play_activities_total"), 4.0);
        assert_eq!(stage.value("compozy_play_steps_total"), 1.0);
        assert_eq!(stage.sum("temporal_activity_execution_failed"), 2.0);
        assert_eq!(stage.sum("temporal_local_activity_total"), 1.0);
        assert_eq!(stage.sum("temporal_activity_execution_latency_count"), 3.0);
    });
}

#[test]
fn two_workers_and_a_restart_in_the_middle() {
    play("two", |stage| async move {
        let first = stage.worker(100);
        let second = stage.worker(100);
        let mut handles = Vec::new();
        let runs = size(20, 40);
        for _ in 0..runs {
            handles.push(stage.start(Act::Steps(20)).await);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        first.stop();
        let third = stage.worker(3);
        tokio::time::sleep(Duration::from_millis(200)).await;
        second.stop();
        for handle in &handles {
            finish(handle).await;
        }
        stage.settle(0).await;
        assert_eq!(stage.value("compozy_temporal_workers_running_total"), 1.0);
        assert_eq!(stage.value("compozy_play_runs_total"), f64::from(runs));
        assert_eq!(stage.value("compozy_play_steps_total"), f64::from(20 * runs));
        third.stop();
        assert_eq!(stage.value("compozy_temporal_workers_running_total"), 0.0);
    });
}

#[test]
fn a_run_that_another_process_started_is_not_started_here() {
    play("taken-over", |stage| async move {
        // As good as another process: what it does is in nobody's ledger.
        let other = stage.worker_with(100, Halves { meter: false, interceptor: false });
        let handle = stage.start(Act::WaitLater).await;
        gone(&handle).await;
        other.stop();
        let worker = stage.worker(100);
        go(&handle).await;
        finish(&handle).await;
        stage.settle(1).await;
        assert_eq!(stage.sum("compozy_temporal_workflow_started_total"), 0.0);
        assert_eq!(stage.sum("compozy_temporal_workflow_completed_total"), 1.0);
        worker.stop();
    });
}

#[test]
fn an_unregistered_type_is_in_no_counter() {
    play("unregistered", |stage| async move {
        let _worker = stage.worker(100);
        let id = stage.id();
        let queue = stage.queue.as_str();
        stage.server.cli(&["workflow", "start", "--type", "Nobody", "--task-queue", queue, "--workflow-id", &id]);
        // Input that cannot be decoded is the same thing.
        let bad = stage.id();
        let arguments = ["workflow", "start", "--type", "Play", "--task-queue", queue, "--workflow-id", &bad];
        stage.server.cli(&[&arguments[..], &["--input", "{}"][..]].concat());
        stage.run(Act::Done).await;
        while stage.sum("temporal_workflow_task_execution_failed") < 2.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for id in [&id, &bad] {
            stage.server.cli(&["workflow", "terminate", "--workflow-id", id]);
        }
        stage.settle(1).await;
        stage.settle_types(&["Nobody"], 1).await;
        assert!(!stage.service.render().contains("compozy_temporal_workflow_started_total{workflow_type=\"Nobody\"}"));
    });
}

#[test]
fn many_runs_at_once() {
    play_alone("many", |stage| async move {
        // Ten times as many as are cached.
        let tens = size(10, 100);
        let _worker = stage.worker(tens as usize);
        let starts = (0..10 * tens).map(|i| {
            let act = match i % 10 {
                0 => Act::Fail,
                1 => Act::Benign,
                2 => Act::Again(1),
                3 => Act::BenignLater,
                4 => Act::Activity,
                _ => Act::Steps(2),
            };
            stage.start(act)
        });
        // Not more at once than a busy machine starts before its client gives up.
        let handles: Vec<_> = futures_util::StreamExt::collect(futures_util::StreamExt::buffer_unordered(
            futures_util::stream::iter(starts),
            tens as usize,
        ))
        .await;
        for handle in &handles {
            finish(handle).await;
        }
        stage.settle(0).await;
        assert_eq!(stage.value("compozy_play_runs_total"), f64::from(11 * tens));
        assert_eq!(stage.value("compozy_play_steps_total"), f64::from(10 * tens));
    });
}

/// Started, completed, failed, durations.
fn outcomes(stage: &Stage) -> [f64; 4] {
    ["started_total", "completed_total", "failed_total", "duration_seconds_count"]
        .map(|name| stage.sum(&format!("compozy_temporal_workflow_{name}")))
}

#[test]
fn the_meter_alone_counts_what_core_counts() {
    play("half-meter", |stage| async move {
        let worker = stage.worker_with(100, Halves { meter: true, interceptor: false });
        stage.run(Act::Done).await;
        stage.run(Act::Fail).await;
        stage.run(Act::Benign).await;
        // The client may hear of an end before its worker does.
        worker.stop();
        assert_eq!(outcomes(&stage), [0.0, 1.0, 1.0, 2.0]);
    });
}

#[test]
fn the_interceptor_alone_counts_what_began() {
    play("half-interceptor", |stage| async move {
        let worker = stage.worker_with(100, Halves { meter: false, interceptor: true });
        stage.run(Act::Done).await;
        stage.run(Act::Benign).await;
        worker.stop();
        assert_eq!(outcomes(&stage), [2.0, 0.0, 0.0, 0.0]);
    });
}

/// Replays a run's history with or without the interceptor, in this thread.
async fn replay(
    stage: &Stage,
    handle: &temporalio_client::WorkflowHandle<temporalio_client::Client, Play>,
    with: bool,
) {
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    let mut options = WorkflowReplayerOptions::new();
    if with {
        options = options.workflow_interceptor(stage.service.temporal_interceptor());
    }
    // In its own namespace, and in the one that the run was in.
    let options = options.register_workflow::<Play>().expect("registered");
    let options = if with { options.namespace(&stage.namespace).build() } else { options.build() };
    WorkflowReplayer::new(options).expect("a replayer").replay_workflow(history).await.expect("replays");
}

#[test]
fn histories_replay_with_and_without_the_interceptor_and_are_not_counted() {
    play("replays", |stage| async move {
        let bare = stage.worker_with(100, Halves { meter: false, interceptor: false });
        let recorded_without = stage.start(Act::Steps(2)).await;
        finish(&recorded_without).await;
        bare.stop();
        let _worker = stage.worker(100);
        let mut recorded_with = Vec::new();
        for act in [Act::Steps(2), Act::FailLater, Act::BenignLater, Act::Benign, Act::Again(1), Act::Activity] {
            let handle = stage.start(act).await;
            finish(&handle).await;
            recorded_with.push(handle);
        }
        let open = stage.start(Act::WaitLater).await;
        while stage.sum("compozy_temporal_workflow_started_total") < 8.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let told = || -> Vec<String> {
            let text = stage.service.render();
            let ours = |line: &&str| line.starts_with("compozy_temporal_") || line.starts_with("compozy_play_");
            text.lines().filter(ours).map(str::to_owned).collect()
        };
        // Never begun: what is new to the replayer is not new to us.
        let never = stage.start_on_nobodys_queue(Act::Steps(1)).await;
        never.terminate(WorkflowTerminateOptions::default()).await.expect("terminated");
        recorded_with.push(never);
        let before = told();
        replay(&stage, &recorded_without, true).await;
        for handle in recorded_with.iter().chain([&open]) {
            replay(&stage, handle, true).await;
            replay(&stage, handle, false).await;
        }
        assert_eq!(told(), before);
        open.terminate(WorkflowTerminateOptions::default()).await.expect("terminated");
    });
}
