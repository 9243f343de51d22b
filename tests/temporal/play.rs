//! The workflows that the scenarios run, and the metrics in them.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use temporalio_common::error::IncomingError;
use temporalio_sdk::{
    ActivityOptions, ChildWorkflowOptions, ContinueAsNewOptions, LocalActivityOptions, SyncWorkflowContext,
    WorkflowContext, WorkflowContextView, WorkflowResult,
    activities::{ActivityContext, ActivityError, activities},
    error::{ActivityExecutionError, ApplicationErrorCategory, ApplicationFailure},
    workflows::{join_all, workflow, workflow_methods},
};

compozy_monitoring::families! {
    /// The run function was entered.
    pub counter RUNS = "compozy_play_runs_total";
    /// After an await.
    pub counter STEPS = "compozy_play_steps_total";
    /// A guard in the run function was dropped.
    pub counter GUARDS = "compozy_play_guards_total";
    /// A signal was handled.
    pub counter SIGNALS = "compozy_play_signals_total";
    /// An update was handled, and after an await in it.
    pub counter UPDATES = "compozy_play_updates_total";
    /// A query was answered.
    pub counter QUERIES = "compozy_play_queries_total";
    /// An update was validated.
    pub counter VALIDATIONS = "compozy_play_validations_total";
    /// `#[init]` ran.
    pub counter INITS = "compozy_play_inits_total";
    /// An activity ran.
    pub counter ACTIVITIES = "compozy_play_activities_total";
    /// Text labels, and so another kind of handle.
    pub counter STEPS_BY_KIND = "compozy_play_steps_by_kind_total" { kind: str };
}

/// What a run is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    Done,
    Fail,
    Benign,
    /// So many timers of ten milliseconds.
    Steps(u32),
    /// A timer first.
    FailLater,
    BenignLater,
    /// Panics so many times, in the first workflow task.
    PanicFirst(u32),
    /// The same in the second.
    PanicLater(u32),
    /// Until it is signalled or cancelled.
    Wait,
    /// The same, after a timer.
    WaitLater,
    /// Continues as new so many times.
    Again(u32),
    /// Fails until this attempt.
    Retry(u32),
    Activity,
    LocalActivity,
    /// An activity that fails this many times.
    Flaky(u32),
    /// Runs these as children, one after the other.
    Children(Vec<Act>),
    /// Fails its workflow task, each time, and then benignly.
    ForceFail,
    /// Benign, in a poll in which a waker was called that is not the SDK's.
    ForeignWake,
    /// Benign, because an activity was cancelled.
    BenignWhenCancelled,
    /// Benign, with details that cannot be encoded.
    BadDetails,
    /// Benign, or done, after a timer and when it is signalled.
    BenignOnGo,
    DoneOnGo,
    /// A timer of so many milliseconds.
    Sleep(u64),
    /// Runs this as so many children at once.
    FanOut(u32, Box<Act>),
    /// A local activity that takes longer than a workflow task may.
    LongLocalActivity,
    /// Holds its workflow task until [`Gate::open`], once; then what `then` says.
    Held {
        later: bool,
        then: Box<Act>,
    },
}

/// How often something happened outside of what a workflow may know.
static TIMES: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

/// Whether this is one of the first `times` times.
fn among_the_first(what: &str, times: u32) -> bool {
    let mut all = TIMES.lock().expect("no panic");
    let seen = all.get_or_insert_default().entry(what.to_owned()).or_default();
    *seen += 1;
    *seen <= times
}

/// Where a workflow task is held.
#[derive(Default)]
pub struct Gate {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

static GATES: Mutex<Option<HashMap<String, Arc<Gate>>>> = Mutex::new(None);

impl Gate {
    pub fn of(workflow_id: &str) -> Arc<Self> {
        let mut gates = GATES.lock().expect("no panic");
        gates.get_or_insert_default().entry(workflow_id.to_owned()).or_default().clone()
    }

    fn pass(&self) {
        let mut state = self.state.lock().expect("no panic");
        state.0 = true;
        self.changed.notify_all();
        let (state, timeout) =
            self.changed.wait_timeout_while(state, Duration::from_secs(8), |(_, open)| !*open).expect("no panic");
        drop(state);
        assert!(!timeout.timed_out(), "nobody opened the gate");
    }

    /// Waits until the workflow is there.
    pub fn wait(&self) {
        let state = self.state.lock().expect("no panic");
        let (state, timeout) =
            self.changed.wait_timeout_while(state, Duration::from_secs(8), |(entered, _)| !*entered).expect("no panic");
        drop(state);
        assert!(!timeout.timed_out(), "the workflow never came to the gate");
    }

    pub fn open(&self) {
        self.state.lock().expect("no panic").1 = true;
        self.changed.notify_all();
    }
}

/// Counts when it is dropped.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDS.increment(1);
    }
}

pub struct Activities;

#[activities]
impl Activities {
    #[activity]
    pub async fn work(_: ActivityContext, input: (String, u32)) -> Result<(), ActivityError> {
        ACTIVITIES.increment(1);
        let (id, failures) = input;
        if among_the_first(&format!("activity {id}"), failures) {
            return Err(ApplicationFailure::new("not yet").into());
        }
        Ok(())
    }

    #[activity]
    pub async fn rest(_: ActivityContext, milliseconds: u64) -> Result<(), ActivityError> {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        Ok(())
    }
}

/// Nothing can be made of it.
struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("as told"))
    }
}

#[workflow]
pub struct Play {
    gone: u32,
    poked: u32,
}

#[workflow_methods]
impl Play {
    #[init]
    fn new(_: &WorkflowContextView) -> Self {
        INITS.increment(1);
        Self { gone: 0, poked: 0 }
    }

    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, act: Act) -> WorkflowResult<()> {
        let _guard = Guard;
        RUNS.increment(1);
        // A handle that is kept over awaits.
        let steps = STEPS_BY_KIND.with("play");
        let foreign = compozy_monitoring::metrics::counter!("foreign_play_steps_total");
        let id = ctx.info().workflow_id().to_owned();
        let act = match act {
            Act::Held { later, then } => {
                if later {
                    ctx.timer(Duration::from_millis(10)).await;
                    STEPS.increment(1);
                }
                if among_the_first(&format!("held {id}"), 1) {
                    Gate::of(&id).pass();
                }
                *then
            }
            act => act,
        };
        let rest = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(10));
        match act {
            Act::Done | Act::Held { .. } => {}
            Act::Fail => return Err(ApplicationFailure::new("as told").into()),
            Act::Benign => return Err(benign()),
            Act::Steps(number) => {
                for _ in 0..number {
                    ctx.timer(Duration::from_millis(10)).await;
                    STEPS.increment(1);
                    steps.increment(1);
                    foreign.increment(1);
                }
            }
            Act::FailLater => {
                ctx.timer(Duration::from_millis(10)).await;
                return Err(ApplicationFailure::new("as told").into());
            }
            Act::BenignLater => {
                ctx.timer(Duration::from_millis(10)).await;
                return Err(benign());
            }
            Act::PanicFirst(times) => assert!(!among_the_first(&format!("panic {id}"), times), "as told"),
            Act::PanicLater(times) => {
                ctx.timer(Duration::from_millis(10)).await;
                STEPS.increment(1);
                assert!(!among_the_first(&format!("panic {id}"), times), "as told");
            }
            Act::Wait | Act::WaitLater => {
                if matches!(act, Act::WaitLater) {
                    ctx.timer(Duration::from_millis(10)).await;
                }
                ctx.wait_condition(|play| play.gone > 0).await?;
                STEPS.increment(1);
            }
            Act::Again(0) => {}
            Act::Again(left) => {
                ctx.continue_as_new(Act::Again(left - 1), ContinueAsNewOptions::default())?;
            }
            Act::Retry(attempt) => {
                if ctx.info().attempt() < attempt {
                    return Err(ApplicationFailure::new("not this time").into());
                }
            }
            Act::Activity => ctx.execute_activity(Activities::work, (id, 0), rest.build()).await?,
            Act::Flaky(failures) => ctx.execute_activity(Activities::work, (id, failures), rest.build()).await?,
            Act::LocalActivity => {
                let local = LocalActivityOptions::builder().start_to_close_timeout(Duration::from_secs(10)).build();
                ctx.execute_local_activity(Activities::work, (id, 0), local).await?;
                STEPS.increment(1);
            }
            Act::ForceFail => {
                ctx.force_task_fail("as told");
                return Err(benign());
            }
            Act::ForeignWake => {
                let foreign = |cx: &mut std::task::Context<'_>| {
                    let waker = cx.waker().clone();
                    std::thread::spawn(move || waker.wake()).join().expect("woken");
                    std::task::Poll::Ready(())
                };
                std::future::poll_fn(foreign).await;
                return Err(benign());
            }
            Act::BenignWhenCancelled => {
                let nobody = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(60))
                    .task_queue("nobody".to_owned())
                    .build();
                let cause = match ctx.execute_activity(Activities::rest, 0_u64, nobody).await {
                    Err(ActivityExecutionError::Cancelled(cancelled)) => IncomingError::Cancelled(cancelled),
                    other => panic!("{other:?}"),
                };
                let failure = ApplicationFailure::builder("nobody minds").category(ApplicationErrorCategory::Benign);
                return Err(failure.cause(Box::new(cause)).build().into());
            }
            Act::BadDetails => {
                let failure = ApplicationFailure::builder("nobody minds").category(ApplicationErrorCategory::Benign);
                return Err(failure.details(Unencodable).build().into());
            }
            Act::BenignOnGo | Act::DoneOnGo => {
                ctx.timer(Duration::from_millis(10)).await;
                ctx.wait_condition(|play| play.gone > 0).await?;
                if matches!(act, Act::BenignOnGo) {
                    return Err(benign());
                }
            }
            Act::Sleep(milliseconds) => {
                ctx.timer(Duration::from_millis(milliseconds)).await;
            }
            Act::FanOut(number, act) => {
                let mut children = Vec::new();
                for child in 0..number {
                    let options = ChildWorkflowOptions::workflow_id(format!("{id}-{child}"));
                    children.push(ctx.start_child_workflow(Child::run, Act::clone(&act), options));
                }
                for child in join_all(children).await {
                    let _ = child?.result().await;
                }
            }
            Act::LongLocalActivity => {
                let local = LocalActivityOptions::builder().start_to_close_timeout(Duration::from_secs(60)).build();
                ctx.execute_local_activity(Activities::rest, 5_000_u64, local).await?;
            }
            Act::Children(acts) => {
                for (number, act) in acts.into_iter().enumerate() {
                    let options = ChildWorkflowOptions::workflow_id(format!("{id}-{number}"));
                    // However it ends.
                    let child = ctx.start_child_workflow(Child::run, act, options).await?;
                    let _ = child.result().await;
                }
            }
        }
        Ok(())
    }

    #[signal]
    pub fn go(&mut self, _: &mut SyncWorkflowContext<Self>) {
        SIGNALS.increment(1);
        self.gone += 1;
    }

    #[query]
    pub fn gone(&self, _: &WorkflowContextView) -> u32 {
        QUERIES.increment(1);
        self.gone
    }

    #[update_validator(poke)]
    fn validate_poke(&self, _: &WorkflowContextView, _: &u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        VALIDATIONS.increment(1);
        Ok(())
    }

    #[update]
    pub async fn poke(ctx: &mut WorkflowContext<Self>, by: u32) -> u32 {
        UPDATES.increment(1);
        ctx.timer(Duration::from_millis(10)).await;
        UPDATES.increment(1);
        ctx.state_mut(|play| {
            play.poked += by;
            play.poked
        })
    }
}

fn benign() -> temporalio_sdk::WorkflowTermination {
    ApplicationFailure::builder("nobody minds").category(ApplicationErrorCategory::Benign).build().into()
}

/// Another type, with fewer wishes.
#[workflow]
#[derive(Default)]
pub struct Child;

#[workflow_methods]
impl Child {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, act: Act) -> WorkflowResult<()> {
        match act {
            Act::Fail => Err(ApplicationFailure::new("as told").into()),
            Act::Benign => Err(benign()),
            _ => {
                ctx.timer(Duration::from_millis(10)).await;
                Ok(())
            }
        }
    }
}
