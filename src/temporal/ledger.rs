//! What is known of runs whose end, or whose beginning, the server has not yet confirmed.
//!
//! The interceptor knows a run by its id; SDK core's metrics know its workflow type and, through the latency that they
//! record just before, when it started. The two are joined by type and start time.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use lru::LruCache;

use crate::{
    catalogue::{
        WORKFLOW_CANCELED, WORKFLOW_COMPLETED, WORKFLOW_CONTINUED, WORKFLOW_DURATION, WORKFLOW_FAILED, WORKFLOW_STARTED,
    },
    family::{Family, Text},
    handles::Counter,
    recorder::{
        Store,
        cell::{CounterOp, HistogramOp},
    },
};

/// How many runs are remembered in each of the lists below; the one that was longest unused goes first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();
/// A refused workflow task is scheduled again at once: when a run has not executed again for this long (the default
/// timeout of a workflow task), its completion was accepted.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// How far the start time that core's latency implies may be from the real one: core reads the clock for the
/// latency a moment before we do.
const SAME_START: Duration = Duration::from_millis(50);

/// A run id, hashed: 128 bits stand for 36 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RunKey(u64, u64);

impl RunKey {
    pub(crate) fn new(run_id: &str) -> Self {
        let hash = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            run_id.hash(&mut hasher);
            hasher.finish()
        };
        Self(hash(0), hash(1))
    }
}

/// How a run ended, as the server has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed,
    Canceled,
    ContinuedAsNew,
}

impl Outcome {
    fn family(self) -> &'static Family<Counter, (Text,)> {
        match self {
            Self::Completed => &WORKFLOW_COMPLETED,
            Self::Failed => &WORKFLOW_FAILED,
            Self::Canceled => &WORKFLOW_CANCELED,
            Self::ContinuedAsNew => &WORKFLOW_CONTINUED,
        }
    }
}

/// A run whose function has returned, and of which the server has not been heard yet.
#[derive(Debug)]
struct Ended {
    workflow_type: String,
    started: Option<SystemTime>,
    /// Core keeps silent about this failure, whatever the server says.
    benign: bool,
    /// As core measured it, once it did.
    duration: Option<Duration>,
    since: Instant,
}

#[derive(Debug)]
struct Runs {
    /// Counted as started; their first workflow task is not known to be accepted.
    started: LruCache<RunKey, ()>,
    /// Runs made by a reset that were counted as started. Nothing in a history tells a later look that they were.
    reset: LruCache<RunKey, ()>,
    ended: LruCache<RunKey, Ended>,
    /// Whether the other half is there, and whether it was said that it is not.
    has_meter: bool,
    has_interceptor: bool,
    warned: bool,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            started: LruCache::new(REMEMBERED),
            reset: LruCache::new(REMEMBERED),
            ended: LruCache::new(REMEMBERED),
            has_meter: false,
            has_interceptor: false,
            warned: false,
        }
    }
}

impl Runs {
    /// The run of this type that started at about this time.
    fn nearest(&self, workflow_type: &str, started: SystemTime) -> Option<RunKey> {
        let distance = |ended: &Ended| {
            let of = ended.started?;
            of.duration_since(started).or_else(|_| started.duration_since(of)).ok()
        };
        self.ended
            .iter()
            .filter(|(_, ended)| ended.workflow_type == workflow_type)
            .filter_map(|(run, ended)| distance(ended).map(|distance| (distance, *run)))
            .filter(|(distance, _)| *distance <= SAME_START)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, run)| run)
    }
}

/// What joins the two halves, one for each storage.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Runs>);

impl Ledger {
    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The meter is in use.
    pub(crate) fn has_meter(&self) {
        self.runs().has_meter = true;
    }

    /// The interceptor is in use.
    pub(crate) fn has_interceptor(&self) {
        self.runs().has_interceptor = true;
    }

    /// The first poll of a run that is no replay; `later` when its history was replayed before.
    pub(crate) fn live(&self, store: &Store, run: RunKey, workflow_type: &str, is_reset: bool, later: bool) {
        let mut runs = self.runs();
        // It executes again: whatever it returned before, the server did not take.
        runs.ended.pop(&run);
        let is_new = if is_reset {
            runs.reset.put(run, ()).is_none()
        } else if later {
            runs.started.pop(&run);
            false
        } else {
            runs.started.put(run, ()).is_none()
        };
        let warn = !runs.has_meter && !std::mem::replace(&mut runs.warned, true);
        drop(runs);
        if warn {
            tracing::warn!(
                "Workflows run with the monitoring interceptor but without its meter: only started workflows are \
                 counted; make the runtime with temporal_runtime_options()"
            );
        }
        if is_new {
            WORKFLOW_STARTED.late.series_in(store, &[workflow_type]).apply(CounterOp::Increment(1));
        }
    }

    /// The server has more history of a run than its first workflow task.
    pub(crate) fn accepted_first_task(&self, run: RunKey) {
        self.runs().started.pop(&run);
    }

    /// The run's function has returned, and not in a replay.
    pub(crate) fn ended(&self, run: RunKey, workflow_type: &str, started: Option<SystemTime>, benign: bool) {
        let workflow_type = workflow_type.to_owned();
        let ended = Ended { workflow_type, started, benign, duration: None, since: Instant::now() };
        self.runs().ended.put(run, ended);
    }

    /// The run's function has returned in a replay of its history: the server has its end.
    pub(crate) fn replayed_to_the_end(&self, store: &Store, run: RunKey) {
        let mut runs = self.runs();
        runs.started.pop(&run);
        let ended = runs.ended.pop(&run);
        drop(runs);
        if let Some(ended) = ended {
            settle(store, ended);
        }
    }

    /// The server accepted the end of a run, with this latency if core could tell one.
    pub(crate) fn accepted(&self, store: &Store, workflow_type: &str, outcome: Outcome, close: Option<Close>) {
        let mut runs = self.runs();
        if let Some(close) = close
            && let Some(run) = runs.nearest(workflow_type, close.started)
        {
            runs.ended.pop(&run);
            runs.started.pop(&run);
        }
        let warn = !runs.has_interceptor && !std::mem::replace(&mut runs.warned, true);
        drop(runs);
        if warn {
            tracing::warn!(
                "Workflows run with the monitoring meter but without its interceptor: started workflows are not \
                 counted and replays are; call instrument_worker() on the worker's options"
            );
        }
        count(store, workflow_type, outcome, close.map(|close| close.duration));
    }

    /// Core has dropped a run of which it recorded a latency and no outcome: the end was refused, or benign, or part of
    /// a replay. `forced` when core had another reason to drop it than that it is over.
    pub(crate) fn dropped(&self, store: &Store, workflow_type: &str, close: Close, forced: bool) {
        let mut runs = self.runs();
        let Some(run) = runs.nearest(workflow_type, close.started) else { return };
        if forced {
            // Refused, or a full cache: time will tell.
            if let Some(ended) = runs.ended.get_mut(&run) {
                ended.duration = Some(close.duration);
                ended.since = Instant::now();
            }
            return;
        }
        let ended = runs.ended.pop(&run);
        runs.started.pop(&run);
        drop(runs);
        if let Some(ended) = ended {
            settle(store, Ended { duration: Some(close.duration), ..ended });
        }
    }

    /// Counts the benign failures that can no longer be refused.
    pub(crate) fn settle(&self, store: &Store) {
        let mut runs = self.runs();
        if !runs.has_meter {
            return;
        }
        let is_settled = |ended: &Ended| ended.benign && ended.since.elapsed() >= SETTLED_AFTER;
        let settled: Vec<RunKey> =
            runs.ended.iter().filter(|(_, ended)| is_settled(ended)).map(|(run, _)| *run).collect();
        let settled: Vec<Ended> = settled.iter().filter_map(|run| runs.ended.pop(run)).collect();
        drop(runs);
        for ended in settled {
            settle(store, ended);
        }
    }

    /// How many runs are remembered.
    #[cfg(test)]
    fn remembered(&self) -> (usize, usize, usize) {
        let runs = self.runs();
        (runs.started.len(), runs.reset.len(), runs.ended.len())
    }
}

/// What core's latency says about the end of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Close {
    pub(crate) duration: Duration,
    /// Now, less the duration.
    pub(crate) started: SystemTime,
}

/// Counts a run that the server has closed, if nobody else does.
fn settle(store: &Store, ended: Ended) {
    if ended.benign {
        count(store, &ended.workflow_type, Outcome::Failed, ended.duration);
    }
}

/// Counts an outcome with its duration. Core has none when the server's clock is ahead of ours; that is no time at all.
fn count(store: &Store, workflow_type: &str, outcome: Outcome, duration: Option<Duration>) {
    let value = duration.unwrap_or_default().as_secs_f64();
    WORKFLOW_DURATION.late.series_in(store, &[workflow_type]).apply(HistogramOp { value, times: 1 });
    outcome.family().late.series_in(store, &[workflow_type]).apply(CounterOp::Increment(1));
}
