//! Counts the starts and the ends of runs, each once.
//!
//! Starts come from the interceptor. Outcomes come from the metrics of SDK core, which updates them once the server has accepted
//! an end. Benign failures, which core does not count, and durations come from the worker: see [`ends`](super::ends).

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lru::LruCache;

use super::queue::Queues;
use crate::{
    builtin::catalogue::{
        WORKFLOW_CANCELED, WORKFLOW_COMPLETED, WORKFLOW_CONTINUED, WORKFLOW_DURATION, WORKFLOW_FAILED, WORKFLOW_STARTED,
    },
    facade::{family::Family, handles::Counter},
    schema::family::Text,
    storage::{counter::CounterOp, histogram::HistogramOp, store::Store},
    support::panics::catch_panic,
};

/// How many runs each list remembers; the least recently used one is dropped. A run takes about 80 bytes.
const REMEMBERED: usize = 65_536;

/// A run id as a hash of 128 bits, in place of 36 bytes.
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

#[derive(Debug)]
struct Runs {
    /// Runs that were counted as started, and whose first workflow task may execute again: it is not known to be accepted.
    started: LruCache<RunKey, ()>,
    /// Runs that are through their first task, or have ended. They are remembered because core can replay a first task that
    /// left no event as part of the next one, and then calls it live. The flag says whether the end that its worker reported
    /// was counted: a worker that is instrumented twice reports it twice.
    passed: LruCache<RunKey, bool>,
    /// Runs that a reset made and that were counted as started. Their history does not show it.
    reset: LruCache<RunKey, ()>,
    /// Whether the meter and the interceptor are in use, and whether the warning about a missing one was logged.
    has_meter: bool,
    has_interceptor: bool,
    warned: bool,
}

impl Default for Runs {
    fn default() -> Self {
        // `LruCache::new` would allocate for the whole capacity at once.
        Self {
            started: LruCache::unbounded(),
            passed: LruCache::unbounded(),
            reset: LruCache::unbounded(),
            has_meter: false,
            has_interceptor: false,
            warned: false,
        }
    }
}

/// Remembers a run; says whether it is a new one. The least recently used one may be dropped for it.
pub(crate) fn remember<T>(runs: &mut LruCache<RunKey, T>, run: RunKey, value: T) -> bool {
    let is_new = runs.put(run, value).is_none();
    if runs.len() > REMEMBERED {
        runs.pop_lru();
    }
    is_new
}

impl Runs {
    /// A run is through its first workflow task.
    fn pass(&mut self, run: RunKey) {
        self.started.pop(&run);
        if self.passed.get(&run).is_none() {
            remember(&mut self.passed, run, false);
        }
    }

    /// A run has ended. Says whether this is new.
    fn close(&mut self, run: RunKey) -> bool {
        self.pass(run);
        self.passed.get_mut(&run).is_some_and(|is_closed| !std::mem::replace(is_closed, true))
    }
}

/// What the meter, the interceptors and the workers of one store share.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    runs: Mutex<Runs>,
    pub(crate) queues: Queues,
}

impl Ledger {
    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the meter is in use.
    pub(crate) fn set_meter(&self) {
        self.runs().has_meter = true;
    }

    /// Notes that the interceptor is in use.
    pub(crate) fn set_interceptor(&self) {
        self.runs().has_interceptor = true;
    }

    /// The first poll of a run that is not a replay. `later` says that its history was replayed before.
    pub(crate) fn live(&self, store: &Store, run: RunKey, workflow_type: &str, is_reset: bool, later: bool) {
        let mut runs = self.runs();
        let is_new = if is_reset {
            remember(&mut runs.reset, run, ())
        } else if later || runs.passed.get(&run).is_some() {
            runs.pass(run);
            false
        } else {
            remember(&mut runs.started, run, ())
        };
        let warn = !runs.has_meter && !std::mem::replace(&mut runs.warned, true);
        drop(runs);
        if warn {
            catch_panic(|| {
                tracing::warn!(
                    "Workflows run with the monitoring interceptor but without its meter: only started workflows are \
                     counted; make the runtime with temporal_runtime_options()"
                );
            });
        }
        if is_new {
            WORKFLOW_STARTED.lazy.series_in(store, &[workflow_type]).apply(CounterOp::Increment(1));
        }
    }

    /// A run is through its first workflow task, or has returned in it.
    pub(crate) fn accepted_first_task(&self, run: RunKey) {
        self.runs().pass(run);
    }

    /// Core says that the server accepted the end of a run. The duration is there only if no instrumented worker reports it.
    pub(crate) fn accepted(&self, store: &Store, workflow_type: &str, outcome: Outcome, duration: Option<Duration>) {
        let mut runs = self.runs();
        let warn = !runs.has_interceptor && !std::mem::replace(&mut runs.warned, true);
        drop(runs);
        if warn {
            catch_panic(|| {
                tracing::warn!(
                    "Workflows run with the monitoring meter but without its interceptor: started workflows are not \
                     counted and replays are; call instrument_worker() on the worker's options"
                );
            });
        }
        count(store, workflow_type, Some(outcome), duration);
    }

    /// A worker says that the server accepted the end of a run, and how long it ran. Core does not count benign failures.
    pub(crate) fn closed(&self, store: &Store, run: RunKey, workflow_type: &str, ran: Duration, is_benign: bool) {
        let mut runs = self.runs();
        // Without the meter there are no outcomes.
        let counts = runs.has_meter && runs.close(run);
        drop(runs);
        if counts {
            count(store, workflow_type, is_benign.then_some(Outcome::Failed), Some(ran));
        }
    }

    /// How many runs each list remembers.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> [usize; 3] {
        let runs = self.runs();
        [runs.started.len(), runs.passed.len(), runs.reset.len()]
    }
}

/// Counts an outcome, a duration, or both.
fn count(store: &Store, workflow_type: &str, outcome: Option<Outcome>, duration: Option<Duration>) {
    if let Some(duration) = duration {
        let op = HistogramOp { value: duration.as_secs_f64(), times: 1 };
        WORKFLOW_DURATION.lazy.series_in(store, &[workflow_type]).apply(op);
    }
    if let Some(outcome) = outcome {
        outcome.family().lazy.series_in(store, &[workflow_type]).apply(CounterOp::Increment(1));
    }
}
