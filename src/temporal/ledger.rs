//! What is known of runs whose end, or whose beginning, the server has not yet confirmed.
//!
//! The interceptor knows a run by its id; SDK core's metrics know its workflow type and, through the latency that they
//! record just before, when it started. The two are joined by type and start time.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
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
    state,
};

/// How many runs are remembered in each of the lists below; the one that was longest unused goes first.
const REMEMBERED: usize = 65_536;
/// How many benign failures are held. One more, and the oldest is taken for accepted.
const HELD: usize = 4_096;
/// A refused workflow task is scheduled again at once: a run that had to leave a full cache and has not executed again for
/// this long (the default timeout of a workflow task) is taken for accepted.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// How far the start time that core's latency implies may be from the real one: core reads the clock for the
/// latency a moment before we do.
const SAME_START: Duration = Duration::from_millis(5);

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

/// A run that failed in a way of which core keeps silent, whatever the server says of it.
#[derive(Debug)]
struct Benign {
    workflow_type: String,
    started: Option<SystemTime>,
    /// As core measured it, once it did.
    duration: Duration,
    since: Instant,
}

impl Benign {
    /// Counts it: the server has it.
    fn count(self, store: &Store) {
        count(store, &self.workflow_type, Outcome::Failed, Some(self.duration));
    }
}

#[derive(Debug)]
struct Runs {
    /// Counted as started; their first workflow task is not known to be accepted, so that it may execute again.
    started: LruCache<RunKey, ()>,
    /// Counted as well, and known to be through their first task or to have ended. Core passes a first task that left no
    /// trace in the history off as part of the next one, which is then called live.
    passed: LruCache<RunKey, ()>,
    /// Runs made by a reset that were counted as started. Nothing in a history tells a later look that they were.
    reset: LruCache<RunKey, ()>,
    benign: LruCache<RunKey, Benign>,
    /// The smallest cache of the workers; unknown when the interceptor was added by hand.
    cache: Option<u64>,
    /// Whether the other half is there, and whether it was said that it is not.
    has_meter: bool,
    has_interceptor: bool,
    warned: bool,
}

impl Default for Runs {
    fn default() -> Self {
        // Not `new`, which takes memory for all that may come.
        Self {
            started: LruCache::unbounded(),
            passed: LruCache::unbounded(),
            reset: LruCache::unbounded(),
            benign: LruCache::unbounded(),
            cache: None,
            has_meter: false,
            has_interceptor: false,
            warned: false,
        }
    }
}

/// Remembers a run, at the price of the one that was longest unused; whether it is a new one.
fn remember<T>(runs: &mut LruCache<RunKey, T>, run: RunKey, value: T) -> bool {
    let is_new = runs.put(run, value).is_none();
    if runs.len() > REMEMBERED {
        runs.pop_lru();
    }
    is_new
}

impl Runs {
    /// A run is through its first workflow task, or will soon be known not to be.
    fn pass(&mut self, run: RunKey) {
        self.started.pop(&run);
        remember(&mut self.passed, run, ());
    }

    /// The one benign failure of this type that started at about this time; none when there are several.
    fn held(&self, workflow_type: &str, started: SystemTime) -> Option<RunKey> {
        let is_near = |benign: &Benign| {
            let distance = benign.started.map(|of| of.duration_since(started).or_else(|_| started.duration_since(of)));
            matches!(distance, Some(Ok(distance)) if distance <= SAME_START)
        };
        let mut near =
            self.benign.iter().filter(|(_, benign)| benign.workflow_type == workflow_type && is_near(benign));
        match (near.next(), near.next()) {
            (Some((run, _)), None) => Some(*run),
            _ => None,
        }
    }

    /// Whether a run that core dropped, and not for its end, may have had to make room for another.
    fn may_be_full(&self, eviction: Eviction) -> bool {
        // Several may be on their way out at once.
        self.cache.is_none_or(|cache| eviction.left >= cache / 2)
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

    /// A worker with this many runs in its cache is being made.
    pub(crate) fn has_worker(&self, cache: usize) {
        let mut runs = self.runs();
        runs.cache = Some(runs.cache.map_or(cache as u64, |known| known.min(cache as u64)));
    }

    /// The first poll of a run that is no replay; `later` when its history was replayed before.
    pub(crate) fn live(&self, store: &Store, run: RunKey, workflow_type: &str, is_reset: bool, later: bool) {
        let mut runs = self.runs();
        // It executes again: whatever it returned before, the server did not take.
        runs.benign.pop(&run);
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
            state::contained(|| {
                tracing::warn!(
                    "Workflows run with the monitoring interceptor but without its meter: only started workflows are \
                     counted; make the runtime with temporal_runtime_options()"
                );
            });
        }
        if is_new {
            WORKFLOW_STARTED.late.series_in(store, &[workflow_type]).apply(CounterOp::Increment(1));
        }
    }

    /// The server has more history of a run than its first workflow task.
    pub(crate) fn accepted_first_task(&self, run: RunKey) {
        self.runs().pass(run);
    }

    /// The run's function has returned, and not in a replay; the workflow type when it failed benignly.
    pub(crate) fn ended(&self, store: &Store, run: RunKey, started: Option<SystemTime>, benign: Option<&str>) {
        let mut runs = self.runs();
        runs.pass(run);
        // Without the meter there are no outcomes.
        if let Some(workflow_type) = benign
            && runs.has_meter
        {
            let duration = started.and_then(|started| started.elapsed().ok()).unwrap_or_default();
            let benign = Benign { workflow_type: workflow_type.to_owned(), started, duration, since: Instant::now() };
            runs.benign.put(run, benign);
        }
        let oldest = if runs.benign.len() > HELD { runs.benign.pop_lru() } else { None };
        drop(runs);
        if let Some((_, benign)) = oldest {
            benign.count(store);
        }
    }

    /// The run's function has returned in a replay of its history: the server has its end.
    pub(crate) fn replayed_to_the_end(&self, store: &Store, run: RunKey) {
        let benign = self.runs().benign.pop(&run);
        if let Some(benign) = benign {
            benign.count(store);
        }
    }

    /// The server accepted the end of a run, with this latency if core could tell one.
    pub(crate) fn accepted(&self, store: &Store, workflow_type: &str, outcome: Outcome, close: Option<Close>) {
        let mut runs = self.runs();
        let warn = !runs.has_interceptor && !std::mem::replace(&mut runs.warned, true);
        drop(runs);
        if warn {
            state::contained(|| {
                tracing::warn!(
                    "Workflows run with the monitoring meter but without its interceptor: started workflows are not \
                     counted and replays are; call instrument_worker() on the worker's options"
                );
            });
        }
        count(store, workflow_type, outcome, close.map(|close| close.duration));
    }

    /// Core has dropped a run of which it recorded a latency and no outcome: the end was benign, or was not accepted, or was
    /// part of a replay.
    pub(crate) fn dropped(&self, store: &Store, workflow_type: &str, close: Close, eviction: Eviction) {
        let mut runs = self.runs();
        let Some(run) = runs.held(workflow_type, close.started) else { return };
        if !eviction.forced {
            // For its end: the server has it.
            runs.benign.pop(&run);
            drop(runs);
            count(store, workflow_type, Outcome::Failed, Some(close.duration));
        } else if !runs.may_be_full(eviction) {
            // Refused, or closed by the server meanwhile. If it executes again, it will end again.
            runs.benign.pop(&run);
        } else if let Some(benign) = runs.benign.get_mut(&run) {
            // Or to make room: time will tell.
            benign.duration = close.duration;
            benign.since = Instant::now();
        }
    }

    /// Counts the benign failures that can no longer be refused.
    pub(crate) fn settle(&self, store: &Store) {
        let mut runs = self.runs();
        if !runs.has_meter {
            return;
        }
        let is_settled = |benign: &Benign| benign.since.elapsed() >= SETTLED_AFTER;
        let settled: Vec<RunKey> =
            runs.benign.iter().filter(|(_, benign)| is_settled(benign)).map(|(run, _)| *run).collect();
        let settled: Vec<Benign> = settled.iter().filter_map(|run| runs.benign.pop(run)).collect();
        drop(runs);
        for benign in settled {
            benign.count(store);
        }
    }

    /// How many runs each list remembers.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> [usize; 4] {
        let runs = self.runs();
        [runs.started.len(), runs.passed.len(), runs.reset.len(), runs.benign.len()]
    }
}

/// Why core dropped a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eviction {
    /// For another reason than its end.
    pub(crate) forced: bool,
    /// How many runs are left in the cache.
    pub(crate) left: u64,
}

/// What core's latency says about the end of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Close {
    pub(crate) duration: Duration,
    /// Now, less the duration.
    pub(crate) started: SystemTime,
}

/// Counts an outcome with its duration. Core has none when the server's clock is ahead of ours; that is no time at all.
fn count(store: &Store, workflow_type: &str, outcome: Outcome, duration: Option<Duration>) {
    let value = duration.unwrap_or_default().as_secs_f64();
    WORKFLOW_DURATION.late.series_in(store, &[workflow_type]).apply(HistogramOp { value, times: 1 });
    outcome.family().late.series_in(store, &[workflow_type]).apply(CounterOp::Increment(1));
}
