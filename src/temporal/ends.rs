//! How runs end: what a worker sent to the server, and what the server made of it.
//!
//! The SDK tells a worker's interceptor about every activation and every completion, with the id of the run. When the server has
//! answered a completion that ends a run, core evicts the run. The reason of the eviction tells the answer, because a refused
//! completion has a reason of its own. So nothing here waits, and nothing is guessed.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use lru::LruCache;
use temporalio_common::protos::coresdk::{
    workflow_activation::{
        RemoveFromCache, WorkflowActivation, remove_from_cache::EvictionReason, workflow_activation_job::Variant,
    },
    workflow_commands::workflow_command::Variant as Command,
    workflow_completion::{WorkflowActivationCompletion, workflow_activation_completion::Status},
};
use temporalio_sdk::{
    WorkerOptions,
    error::WorkerRunError,
    interceptors::{Next, RunWorkerInput, WorkerInterceptor},
};

use super::{
    ledger::{RunKey, remember},
    queue::Queue,
    service_ref::ServiceRef,
};
use crate::{schema::names::own_name, support::failpoint};

/// The id of a query that is a task of its own, not part of a workflow task.
const QUERY_TASK: &str = "legacy_query";

/// The runs of a worker that have returned and are still in its cache. Workers made from clones of its options share it.
pub(crate) struct Ends {
    service: ServiceRef,
    queue: Arc<Queue>,
    has_run: AtomicBool,
    returned: Mutex<LruCache<RunKey, Returned>>,
}

/// A run whose function has returned, outside a replay.
pub(crate) struct Returned {
    pub(crate) workflow_type: String,
    pub(crate) ran: Duration,
    /// Whether it returned in the first task after a replay. That may be the task of a query: for a closed run, core then replays
    /// what the run had not handled yet, and does not send its commands.
    pub(crate) after_replay: bool,
    /// The kind of the command that ends it, once the command was handed to core.
    sent: Option<Sent>,
}

#[derive(Clone, Copy)]
enum Sent {
    /// One that core counts, if the server accepts it.
    Counted,
    /// A failure that core does not count.
    Benign,
    /// One that core does not send to the server: see `after_replay`.
    ForQuery,
}

impl Returned {
    pub(crate) fn new(workflow_type: &str, ran: Duration, after_replay: bool) -> Self {
        Self { workflow_type: workflow_type.to_owned(), ran, after_replay, sent: None }
    }
}

impl Ends {
    /// For the workers that are made from these options and their clones.
    pub(crate) fn new(service: ServiceRef, options: &WorkerOptions) -> Self {
        let queue = service.ledger().queues.instrument(&options.task_queue);
        options.workflows().workflow_definitions().for_each(|workflow| queue.runs(&workflow.workflow_type));
        // `LruCache::new` would allocate for the whole capacity at once.
        Self { service, queue, has_run: AtomicBool::new(false), returned: Mutex::new(LruCache::unbounded()) }
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    fn runs(&self) -> MutexGuard<'_, LruCache<RunKey, Returned>> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The function of a run has returned, outside a replay.
    pub(crate) fn returned(&self, run: RunKey, returned: Returned) {
        remember(&mut self.runs(), run, returned);
    }

    /// Called before the worker handles an activation.
    fn activated(&self, activation: &WorkflowActivation) {
        for job in &activation.jobs {
            match &job.variant {
                Some(Variant::InitializeWorkflow(_)) => self.initialized(activation),
                Some(Variant::QueryWorkflow(query)) if query.query_id == QUERY_TASK => {
                    if let Some(run) = self.runs().get_mut(&RunKey::new(&activation.run_id))
                        && run.after_replay
                        && run.sent.is_some()
                    {
                        run.sent = Some(Sent::ForQuery);
                    }
                }
                Some(Variant::RemoveFromCache(eviction)) => self.evicted(&activation.run_id, eviction),
                _ => {}
            }
        }
    }

    /// An instance of a run is about to be made. If there is an SDK version, it is that of the last workflow task that the server
    /// accepted. Then the start was counted where that task ran, even if the task left no event to replay.
    fn initialized(&self, activation: &WorkflowActivation) {
        if !activation.last_sdk_version.is_empty() {
            self.service.ledger().accepted_first_task(RunKey::new(&activation.run_id));
        }
    }

    /// Core evicts a run from its cache, with a reason.
    fn evicted(&self, run_id: &str, eviction: &RemoveFromCache) {
        let Some(run) = self.runs().pop(&RunKey::new(run_id)) else { return };
        let is_benign = match run.sent {
            Some(Sent::Counted) => false,
            Some(Sent::Benign) => true,
            Some(Sent::ForQuery) | None => return,
        };
        match eviction.reason() {
            // The server did not refuse the end. `Unspecified` is the reason after a query that came too late.
            EvictionReason::WorkflowExecutionEnding | EvictionReason::CacheFull | EvictionReason::Unspecified => {
                let store = self.service.store();
                self.service.ledger().closed(store, RunKey::new(run_id), &run.workflow_type, run.ran, is_benign);
            }
            // The end was refused, or its fate is unknown: the run executes again, or the server has closed it.
            _ => {}
        }
    }

    /// Called before a completion goes to core.
    fn completed(&self, completion: &WorkflowActivationCompletion) {
        // A failed task sends no commands, whatever the function returned.
        let Some(Status::Successful(success)) = &completion.status else { return };
        let sent = success.commands.iter().find_map(|command| match &command.variant {
            Some(Command::FailWorkflowExecution(fail)) => {
                let is_benign = fail.failure.as_ref().is_some_and(|f| f.is_benign_application_failure());
                Some(if is_benign { Sent::Benign } else { Sent::Counted })
            }
            Some(
                Command::CompleteWorkflowExecution(_)
                | Command::CancelWorkflowExecution(_)
                | Command::ContinueAsNewWorkflowExecution(_),
            ) => Some(Sent::Counted),
            _ => None,
        });
        if sent.is_some()
            && let Some(run) = self.runs().get_mut(&RunKey::new(&completion.run_id))
        {
            run.sent = sent;
        }
    }

    /// Looks at what the SDK reports, if monitoring is on. A panic goes no further.
    fn note(&self, look: impl FnOnce()) {
        if self.service.records() {
            let _ = self.service.store().diagnostics.catch_and_report(
                own_name!("temporal_workflow_duration_seconds"),
                || {
                    failpoint::point("worker interceptor");
                    look();
                },
            );
        }
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.runs().len()
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        // The worker was never run.
        if !*self.has_run.get_mut() {
            self.queue.worker_ended();
        }
    }
}

/// A running worker, until its future ends or is dropped.
struct RunningWorker<'a>(&'a Ends);

impl<'a> RunningWorker<'a> {
    fn new(ends: &'a Ends) -> Self {
        // The first worker was counted when its options were instrumented. Each further one is made from a clone of them.
        if ends.has_run.swap(true, Relaxed) {
            ends.queue.worker_begins();
        }
        Self(ends)
    }
}

impl Drop for RunningWorker<'_> {
    fn drop(&mut self) {
        self.0.queue.worker_ended();
    }
}

/// The hooks of a worker, as the SDK has them.
pub(crate) struct Hooks(pub(crate) Arc<Ends>);

type Hook<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

// What `async_trait` would expand to.
impl WorkerInterceptor for Hooks {
    fn run_worker<'a>(
        &'a self,
        input: RunWorkerInput<'a>,
        next: Next<'a, RunWorkerInput<'a>, Hook<'a, Result<(), WorkerRunError>>>,
    ) -> Hook<'a, Result<(), WorkerRunError>> {
        let running = RunningWorker::new(&self.0);
        let run = next.run(input);
        Box::pin(async move {
            let _running = running;
            run.await
        })
    }

    fn on_workflow_activation_completion<'a, 'b, 'c>(
        &'a self,
        completion: &'b WorkflowActivationCompletion,
    ) -> Hook<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.0.note(|| self.0.completed(completion));
        // A box of a zero-sized type allocates nothing.
        Box::pin(poll_fn(|_| Poll::Ready(())))
    }

    fn on_workflow_activation<'a, 'b, 'c>(&'a self, activation: &'b WorkflowActivation) -> Hook<'c, anyhow::Result<()>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.0.note(|| self.0.activated(activation));
        Box::pin(poll_fn(|_| Poll::Ready(Ok(()))))
    }
}
