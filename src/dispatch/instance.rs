//! A service that was started: its store, whether it is on, and whether it is the process's one.
//!
//! Nothing runs beside the application: samples are not queued, so there is no queue to empty.

use std::sync::{Arc, PoisonError};

use tracing::{info, warn};

use super::switch;
use crate::{
    config::Config,
    storage::{recorder::StoreRecorder, store::Store},
    support::{
        panics::catch_panic,
        sync::{
            Mutex, OnceLock,
            atomic::{
                AtomicBool,
                Ordering::{Relaxed, SeqCst},
            },
            shared,
        },
    },
};

shared! {
    /// Held while the process's one service starts or stops. Whether one is on, the [`switch`] says.
    static LIFE: Mutex<()> = Mutex::new(());
    /// The store of the process's one service. Made once and never dropped: a service that starts after a shutdown goes on
    /// with it.
    static STORE: OnceLock<Arc<Store>> = OnceLock::new();
}

/// The store of the process's one service, if there ever was one.
#[inline]
pub(crate) fn global_store() -> Option<&'static Arc<Store>> {
    STORE.get()
}

/// Keeps the store of the process's first service. The caller holds [`LIFE`] and has checked that there is none yet.
pub(crate) fn set_global_store(store: Arc<Store>) {
    let _ = STORE.set(store);
}

#[derive(Debug)]
pub(crate) struct Instance {
    recorder: StoreRecorder,
    global: bool,
    on: AtomicBool,
    /// Tasks that wait for the service to stop.
    #[cfg(feature = "serve")]
    waiting: Mutex<Vec<std::task::Waker>>,
    #[cfg(feature = "temporal")]
    sdk_families: bool,
}

impl Instance {
    /// The process's one service; the first one makes the store.
    pub(crate) fn global(
        config: &Config,
        new_store: impl FnOnce(usize) -> Arc<Store>,
    ) -> Result<Arc<Self>, &'static str> {
        let life = LIFE.lock().unwrap_or_else(PoisonError::into_inner);
        if switch::is_global_on() {
            return Err("another monitoring service is running in this process");
        }
        let store = match global_store() {
            Some(store) => store.clone(),
            None => {
                let store = new_store(config.series_cap);
                metrics::set_global_recorder(StoreRecorder(store.clone()))
                    .map_err(|_| "another global recorder of the `metrics` crate is installed in this process")?;
                set_global_store(store.clone());
                store
            }
        };
        store.set_exposition(&config.constant_labels, config.created_lines, config.native_histograms);
        switch::set_global(true);
        drop(life);
        if store.cap() != config.series_cap {
            let series_cap = config.series_cap;
            warn!(series_cap, stays = store.cap(), "The cap on series is set by the first start of a process");
        }
        Ok(Self::new(store, true, config))
    }

    /// A service of its own.
    pub(crate) fn hermetic(config: &Config, new_store: impl FnOnce(usize) -> Arc<Store>) -> Arc<Self> {
        switch::allow_scopes();
        Self::new(new_store(config.series_cap), false, config)
    }

    #[cfg_attr(not(feature = "temporal"), allow(unused_variables))]
    fn new(store: Arc<Store>, global: bool, config: &Config) -> Arc<Self> {
        Arc::new(Self {
            recorder: StoreRecorder(store),
            global,
            on: AtomicBool::new(true),
            #[cfg(feature = "serve")]
            waiting: Mutex::default(),
            #[cfg(feature = "temporal")]
            sdk_families: config.temporal_sdk_families,
        })
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    #[inline]
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.recorder.0
    }

    pub(crate) fn recorder(&self) -> &StoreRecorder {
        &self.recorder
    }

    pub(crate) fn is_global(&self) -> bool {
        self.global
    }

    /// Whether the Temporal SDK's own families are kept.
    #[cfg(feature = "temporal")]
    pub(crate) fn has_sdk_families(&self) -> bool {
        self.sdk_families
    }

    /// Stops the service and logs why. Only the first call does anything, and none waits.
    pub(crate) fn stop(&self, reason: &str) {
        if !self.on.swap(false, SeqCst) {
            return;
        }
        if self.global {
            let life = LIFE.lock().unwrap_or_else(PoisonError::into_inner);
            switch::set_global(false);
            drop(life);
            // Not under the lock: a subscriber may start or stop a service. Its panic must not leave a drop.
            catch_panic(|| info!(reason, "Monitoring stopped"));
        }
        #[cfg(feature = "serve")]
        {
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            waiting.into_iter().for_each(|waker| catch_panic(|| waker.wake()));
        }
    }

    /// Whether the service is off; if not, the task is woken when it stops.
    #[cfg(feature = "serve")]
    pub(crate) fn poll_stopped(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: `stop` takes it after it has set this.
        if !self.on.load(SeqCst) {
            return std::task::Poll::Ready(());
        }
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        std::task::Poll::Pending
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop("its last clone was dropped");
    }
}
