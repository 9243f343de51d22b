//! A service that is on: its storage, and whether it is the process's one.
//!
//! Nothing runs beside the application: no sample is queued, so nobody has to empty a queue.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{
        AtomicBool,
        Ordering::{Relaxed, SeqCst},
    },
};

use tracing::warn;

use crate::{
    Config,
    recorder::{Store, StoreRecorder},
    state,
};

/// Whether a global service is running; held while one starts or stops.
static ACTIVE: Mutex<bool> = Mutex::new(false);

#[derive(Debug)]
pub(crate) struct Running {
    recorder: StoreRecorder,
    global: bool,
    on: AtomicBool,
    #[cfg(feature = "temporal")]
    sdk_families: bool,
}

impl Running {
    /// The process's one service.
    pub(crate) fn global(config: &Config) -> Result<Arc<Self>, &'static str> {
        let mut active = ACTIVE.lock().unwrap_or_else(PoisonError::into_inner);
        if *active {
            return Err("another monitoring service is running in this process");
        }
        let store = match state::global_store() {
            Some(store) => {
                if store.cap() != config.series_cap {
                    let series_cap = config.series_cap;
                    warn!(series_cap, stays = store.cap(), "The cap on series is set by the first start of a process");
                }
                store.clone()
            }
            None => {
                let store = Store::new(config.series_cap);
                metrics::set_global_recorder(StoreRecorder(store.clone()))
                    .map_err(|_| "another global recorder of the `metrics` crate is installed in this process")?;
                state::set_global_store(store.clone());
                store
            }
        };
        state::set_global(true);
        *active = true;
        Ok(Self::new(store, true, config))
    }

    /// A service of its own.
    pub(crate) fn hermetic() -> Arc<Self> {
        state::allow_scopes();
        let config = Config::default();
        Self::new(Store::new(config.series_cap), false, &config)
    }

    #[cfg_attr(not(feature = "temporal"), allow(unused_variables))]
    fn new(store: Arc<Store>, global: bool, config: &Config) -> Arc<Self> {
        Arc::new(Self {
            recorder: StoreRecorder(store),
            global,
            on: AtomicBool::new(true),
            #[cfg(feature = "temporal")]
            sdk_families: config.temporal_sdk_families,
        })
    }

    /// Whether the Temporal SDK's own families are kept.
    #[cfg(feature = "temporal")]
    pub(crate) fn has_sdk_families(&self) -> bool {
        self.sdk_families
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.recorder.0
    }

    pub(crate) fn recorder(&self) -> &StoreRecorder {
        &self.recorder
    }

    pub(crate) fn is_global(&self) -> bool {
        self.global
    }

    /// Stops, once. There is nothing to wait for.
    pub(crate) fn stop(&self) {
        if self.on.swap(false, SeqCst) && self.global {
            let mut active = ACTIVE.lock().unwrap_or_else(PoisonError::into_inner);
            state::set_global(false);
            *active = false;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
