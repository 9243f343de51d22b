//! The interceptor: counts starts, notes when workflow functions return, and mutes workflow code while it replays.

use std::{
    future::Future,
    hash::{Hash, Hasher},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use siphasher::sip::SipHasher13;
use temporalio_sdk::{
    WorkflowContextView,
    interceptors::{ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next},
    workflow_interceptors::{
        ExecuteWorkflowInput, ExecuteWorkflowResult, HandleQueryInput, HandleQueryResult, HandleSignalInput,
        HandleSignalResult, HandleUpdateInput, HandleUpdateResult, InitializeWorkflowInput, InitializeWorkflowOutput,
        SyncWorkflowInterceptorContext, ValidateUpdateInput, ValidateUpdateResult, WorkflowInterceptor,
        WorkflowInterceptorConstructor, WorkflowInterceptorContext, WorkflowInterceptorFuture, WorkflowNext,
    },
};

use super::{
    ends::{Ends, Returned},
    ledger::RunKey,
    service_ref::ServiceRef,
};
use crate::{
    MonitoringService,
    dispatch::{
        instance::Instance,
        muting::{Muted, mute},
        scope::Entered,
    },
    schema::names::own_name,
    support::failpoint,
};

/// The constructor, for an instrumented worker, or (without `ends`) for a replayer or a worker to which it is added by hand.
pub(crate) fn constructor(instance: &Arc<Instance>, ends: Option<Arc<Ends>>) -> WorkflowInterceptorConstructor {
    let service = ServiceRef::of(instance);
    service.ledger().set_interceptor();
    WorkflowInterceptorConstructor::new(move |view| Interceptor::new(service.clone(), ends.clone(), view))
}

/// The interceptor of one instance of a run.
struct Interceptor {
    service: ServiceRef,
    /// `None` if the worker is not instrumented.
    ends: Option<Arc<Ends>>,
    run: RunKey,
    /// When the first workflow task may run, by the server's clock.
    begins: Option<SystemTime>,
    /// Whether a reset made the run: then its history up to there is that of another run.
    is_reset: bool,
    /// Whether it runs in the SDK's `WorkflowReplayer`, which does not report the end of a history as a replay.
    is_replayer: bool,
}

/// The default namespace and task queue of the SDK's replayer.
const REPLAYER: (&str, &str) = ("ReplayNamespace", "ReplayTaskQueue");

impl Interceptor {
    fn new(service: ServiceRef, ends: Option<Arc<Ends>>, view: &WorkflowContextView) -> Self {
        let is_reset = view.raw().randomness_seed != seed_of(view.run_id());
        let is_replayer = ends.is_none() && (view.namespace() == REPLAYER.0 || view.task_queue() == REPLAYER.1);
        if let Some(ends) = &ends {
            ends.queue().runs(view.workflow_type());
        }
        // A start delay, the pause before a retry, the time to a cron's next tick.
        let backoff =
            view.raw().cron_schedule_to_schedule_interval.and_then(|backoff| Duration::try_from(backoff).ok());
        let begins = view.start_time().and_then(|start| start.checked_add(backoff.unwrap_or_default()));
        Self { service, ends, run: RunKey::new(view.run_id()), begins, is_reset, is_replayer }
    }

    fn is_replaying(&self, ctx: &WorkflowInterceptorContext) -> bool {
        self.is_replayer || ctx.is_replaying_history_events()
    }

    /// Enters the scope of the service, and mutes the thread if that is asked for, until the result is dropped. The scope is entered
    /// in a replay too, because handles that are taken there are used afterwards.
    fn inside(&self, muted: bool) -> Inside<'_> {
        let scope = self.service.scope();
        Inside { _muted: mute(muted), _scope: scope }
    }

    fn around<'a, I, T: 'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: I,
        next: WorkflowNext<'a, I, WorkflowInterceptorFuture<'a, T>>,
    ) -> Watched<'a, T> {
        let inside = self.inside(self.is_replaying(&ctx));
        // Synchronous handlers run in here.
        let inner = next.run(input);
        drop(inside);
        Watched { interceptor: self, ctx, inner: Some(inner) }
    }
}

/// The seed that SDK core derives from the id of a run that no reset made.
fn seed_of(run_id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    run_id.hash(&mut hasher);
    hasher.finish()
}

/// The time from the first workflow task that could run to this one. A signal or an update lets a delayed run begin early.
pub(super) fn running_time(
    begins: Option<SystemTime>,
    first_task: Option<SystemTime>,
    task: Option<SystemTime>,
) -> Duration {
    let begins = begins.into_iter().chain(first_task).min();
    task.zip(begins).and_then(|(task, begins)| task.duration_since(begins).ok()).unwrap_or_default()
}

/// Workflow code runs: in the scope of its service, muted or not, until this is dropped.
struct Inside<'a> {
    /// Dropped before the scope is left.
    _muted: Muted,
    _scope: Option<Entered<'a>>,
}

/// A future of workflow code: muted in every poll that replays, and when it is dropped.
struct Watched<'a, T> {
    interceptor: &'a Interceptor,
    ctx: WorkflowInterceptorContext,
    inner: Option<WorkflowInterceptorFuture<'a, T>>,
}

impl<T> Unpin for Watched<'_, T> {}

impl<T> Future for Watched<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        let _inside = this.interceptor.inside(this.interceptor.is_replaying(&this.ctx));
        match &mut this.inner {
            Some(inner) => Pin::new(inner).poll(cx),
            // Only `drop` takes it out.
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for Watched<'_, T> {
    fn drop(&mut self) {
        // An eviction drops the guards and timers in the workflow's code. They record nothing: the run goes on elsewhere, or has
        // ended.
        let _muted = self.interceptor.inside(true);
        self.inner = None;
    }
}

/// The future of a run. It does what [`Watched`] does, and reports to the ledger.
struct Execution<'a> {
    inner: Watched<'a, ExecuteWorkflowResult>,
    phase: Phase,
    /// The length of the history at the first poll that is no replay.
    at_start: u32,
    /// Whether there was a replay before it.
    has_replayed: bool,
    /// When the first workflow task ran, by the server's clock.
    first_task: Option<SystemTime>,
}

/// How far this instance of a run is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not polled yet.
    New,
    /// Every poll so far was a replay.
    Replaying,
    /// Counted, and in its first workflow task.
    First,
    /// Later.
    Later,
}

impl Execution<'_> {
    /// Called before a poll.
    fn before(&mut self, replaying: bool) {
        let (interceptor, ctx) = (self.inner.interceptor, &self.inner.ctx);
        let ledger = interceptor.service.ledger();
        if self.phase == Phase::New {
            self.first_task = ctx.workflow_time();
        }
        match self.phase {
            Phase::New | Phase::Replaying if replaying => {
                if self.phase == Phase::New && !interceptor.is_reset {
                    ledger.accepted_first_task(interceptor.run);
                }
                self.phase = Phase::Replaying;
                self.has_replayed = true;
            }
            Phase::New | Phase::Replaying => {
                let later = self.phase == Phase::Replaying;
                let store = interceptor.service.store();
                ledger.live(store, interceptor.run, ctx.workflow_type(), interceptor.is_reset, later);
                self.at_start = ctx.history_length();
                self.phase = if later { Phase::Later } else { Phase::First };
            }
            // A task that is not accepted evicts the run. So the first task of this instance was accepted.
            Phase::First if ctx.history_length() > self.at_start => {
                ledger.accepted_first_task(interceptor.run);
                self.phase = Phase::Later;
            }
            Phase::First | Phase::Later => {}
        }
    }

    /// The function has returned, outside a replay, in a poll that began at `polled`.
    fn returned(&self, polled: Instant) {
        let (interceptor, ctx) = (self.inner.interceptor, &self.inner.ctx);
        interceptor.service.ledger().accepted_first_task(interceptor.run);
        let Some(ends) = &interceptor.ends else { return };
        // By the server's clock up to this workflow task, and by the monotonic clock from then on.
        let before = running_time(interceptor.begins, self.first_task, ctx.workflow_time());
        let ran = before.saturating_add(polled.elapsed());
        let after_replay = self.has_replayed && ctx.history_length() == self.at_start;
        ends.returned(interceptor.run, Returned::new(ctx.workflow_type(), ran, after_replay));
    }

    /// Runs `look`, which reports to the ledger, if monitoring is on. A panic goes no further.
    fn note(&mut self, look: impl FnOnce(&mut Self)) {
        let service = self.inner.interceptor.service.clone();
        if service.records() && !self.inner.interceptor.is_replayer {
            let _ = service.store().diagnostics.catch_and_report(own_name!("temporal_workflow_started_total"), || {
                failpoint::point("interceptor");
                look(self);
            });
        }
    }
}

impl Future for Execution<'_> {
    type Output = ExecuteWorkflowResult;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExecuteWorkflowResult> {
        let this = &mut *self;
        let replaying = this.inner.interceptor.is_replaying(&this.inner.ctx);
        let begun = (!replaying).then(Instant::now);
        this.note(|this| this.before(replaying));
        let polled = Pin::new(&mut this.inner).poll(cx);
        if let (Poll::Ready(_), Some(begun)) = (&polled, begun) {
            this.note(|this| this.returned(begun));
        }
        polled
    }
}

impl WorkflowInterceptor for Interceptor {
    fn initialize_workflow(
        &self,
        _: WorkflowContextView,
        input: InitializeWorkflowInput,
        next: WorkflowNext<'_, InitializeWorkflowInput, InitializeWorkflowOutput>,
    ) -> InitializeWorkflowOutput {
        // It is not known here whether this is a replay, so it is always muted.
        let _muted = self.inside(true);
        next.run(input)
    }

    fn execute<'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: ExecuteWorkflowInput,
        next: WorkflowNext<'a, ExecuteWorkflowInput, WorkflowInterceptorFuture<'a, ExecuteWorkflowResult>>,
    ) -> WorkflowInterceptorFuture<'a, ExecuteWorkflowResult> {
        let inner = self.around(ctx, input, next);
        WorkflowInterceptorFuture::new(Execution {
            inner,
            phase: Phase::New,
            at_start: 0,
            has_replayed: false,
            first_task: None,
        })
    }

    fn handle_signal<'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: HandleSignalInput,
        next: WorkflowNext<'a, HandleSignalInput, WorkflowInterceptorFuture<'a, HandleSignalResult>>,
    ) -> WorkflowInterceptorFuture<'a, HandleSignalResult> {
        WorkflowInterceptorFuture::new(self.around(ctx, input, next))
    }

    fn handle_update<'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: HandleUpdateInput,
        next: WorkflowNext<'a, HandleUpdateInput, WorkflowInterceptorFuture<'a, HandleUpdateResult>>,
    ) -> WorkflowInterceptorFuture<'a, HandleUpdateResult> {
        WorkflowInterceptorFuture::new(self.around(ctx, input, next))
    }

    fn handle_query(
        &self,
        _: SyncWorkflowInterceptorContext,
        input: HandleQueryInput,
        next: WorkflowNext<'_, HandleQueryInput, HandleQueryResult>,
    ) -> HandleQueryResult {
        let _inside = self.inside(self.is_replayer);
        next.run(input)
    }

    fn validate_update(
        &self,
        _: SyncWorkflowInterceptorContext,
        input: ValidateUpdateInput,
        next: WorkflowNext<'_, ValidateUpdateInput, ValidateUpdateResult>,
    ) -> ValidateUpdateResult {
        let _inside = self.inside(self.is_replayer);
        next.run(input)
    }
}

/// Enters the scope of a service that is not the process's one around its activities.
pub(crate) struct ActivityScope(pub(crate) MonitoringService);

impl ActivityInboundInterceptor for ActivityScope {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        Box::pin(self.0.scope(self.0.in_scope(|| next.run(input))))
    }
}
