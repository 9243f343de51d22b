//! A service that is on: the storage, whether it is the process's one, and the upkeep thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::error;

use crate::{
    recorder::{Store, StoreRecorder},
    state,
};

/// How often the exporter's queues are emptied. At 100,000 foreign histogram samples a second (24 bytes each) this
/// bounds what is queued to about 2.4 MB.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// How long a shutdown waits for the upkeep thread.
const JOIN_WITHIN: Duration = Duration::from_secs(1);

/// Whether a global service is running; held while one starts or stops.
static ACTIVE: Mutex<bool> = Mutex::new(false);

#[derive(Debug)]
pub(crate) struct Running {
    recorder: StoreRecorder,
    global: bool,
    on: AtomicBool,
    upkeep: Mutex<Option<Upkeep>>,
}

impl Running {
    /// The process's one service.
    pub(crate) fn global() -> Result<Arc<Self>, &'static str> {
        let mut active = ACTIVE.lock().unwrap_or_else(PoisonError::into_inner);
        if *active {
            return Err("another monitoring service is running in this process");
        }
        let store = match state::global_store() {
            Some(store) => store.clone(),
            None => {
                let store = Store::new();
                metrics::set_global_recorder(StoreRecorder(store.clone()))
                    .map_err(|_| "another global recorder of the `metrics` crate is installed in this process")?;
                state::set_global_store(store.clone());
                store
            }
        };
        let upkeep = Upkeep::start(store.clone());
        state::set_global(true);
        *active = true;
        Ok(Arc::new(Self {
            recorder: StoreRecorder(store),
            global: true,
            on: AtomicBool::new(true),
            upkeep: Mutex::new(upkeep),
        }))
    }

    /// A service of its own. No thread: a render does the upkeep.
    pub(crate) fn hermetic() -> Arc<Self> {
        state::allow_scopes();
        Arc::new(Self {
            recorder: StoreRecorder(Store::new()),
            global: false,
            on: AtomicBool::new(true),
            upkeep: Mutex::new(None),
        })
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.recorder.0
    }

    pub(crate) fn recorder(&self) -> &StoreRecorder {
        &self.recorder
    }

    #[cfg(feature = "http-poem")]
    pub(crate) fn is_global(&self) -> bool {
        self.global
    }

    /// Stops, once; with `wait`, until the thread is gone or a second has passed.
    pub(crate) fn stop(&self, wait: bool) {
        if self.on.swap(false, SeqCst) && self.global {
            let mut active = ACTIVE.lock().unwrap_or_else(PoisonError::into_inner);
            state::set_global(false);
            *active = false;
        }
        // Taken out of its mutex first: two callers must not wait for each other.
        let upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(upkeep) = upkeep {
            upkeep.stop(wait);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop(false);
    }
}

#[derive(Debug)]
struct Upkeep {
    signal: Arc<Signal>,
    thread: thread::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Signal {
    phase: Mutex<Phase>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Running,
    Stopping,
    Stopped,
}

impl Signal {
    fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        self.changed.notify_all();
    }

    /// Waits until the phase is no longer this one, or the time is over; says what it is then.
    fn wait_while(&self, phase: Phase, time: Duration) -> Phase {
        let guard = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) =
            self.changed.wait_timeout_while(guard, time, |now| *now == phase).unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

impl Upkeep {
    /// Starts the thread; without it, monitoring goes on, and its health says that it is dead.
    fn start(store: Arc<Store>) -> Option<Self> {
        let signal = Arc::<Signal>::default();
        let theirs = signal.clone();
        let health = store.clone();
        let spawned = thread::Builder::new().name("compozy-upkeep".to_owned()).spawn(move || {
            while theirs.wait_while(Phase::Running, UPKEEP_EVERY) == Phase::Running {
                if catch_unwind(AssertUnwindSafe(|| store.upkeep())).is_err() {
                    store.health.fault("upkeep", "panic in the upkeep of the exporter");
                }
            }
            theirs.set(Phase::Stopped);
        });
        health.health.set_upkeep_dead(spawned.is_err());
        match spawned {
            Ok(thread) => Some(Self { signal, thread }),
            Err(error) => {
                error!(%error, "The upkeep thread of monitoring could not be started; scrapes do its work");
                None
            }
        }
    }

    fn stop(self, wait: bool) {
        self.signal.set(Phase::Stopping);
        if wait {
            let deadline = Instant::now() + JOIN_WITHIN;
            let left = || deadline.saturating_duration_since(Instant::now());
            if self.signal.wait_while(Phase::Stopping, left()) == Phase::Stopped {
                let _ = self.thread.join();
            }
        }
    }
}
