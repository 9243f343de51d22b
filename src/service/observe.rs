//! Values of the application that are read at each scrape.

#[cfg(feature = "prometheus")]
use std::{panic::Location, sync::Arc};

use super::MonitoringService;
#[cfg(feature = "prometheus")]
use crate::facade::handles::InStore;
use crate::facade::{handles::Observable, number::Number};
#[cfg(feature = "prometheus")]
use crate::storage::{observations::Observation, store::Store};

impl MonitoringService {
    /// Reads a value at each scrape and [`snapshot`](Self::snapshot), as long as the guard lives: the size of a pool,
    /// the length of a queue. For gauges, and for counters that something else counts.
    ///
    /// | | |
    /// |---|---|
    /// | the service is off | the closure is kept and never called |
    /// | the closure panics | the fault is logged and counted, and the series keeps its value. The closure is called again at the next scrape |
    /// | it does not answer within a second, or all closures together within two | the scrape goes on without it. The log names it, the series keeps its value, and the closure is not called again until it has returned |
    /// | the guard is dropped, also while the closure runs | the closure is not called again, and a value that it is reading is not used. The series keeps its last value until it is removed |
    /// | the process's service stops and a new one starts | the closure is called for the new one |
    ///
    /// The closure runs on a thread of the scrape, outside of an async runtime. A handle with free text has to be taken
    /// in the service's scope, or after the service has started.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// compozy_monitoring::families! {
    ///     /// Connections of the pool, by what they do.
    ///     pub gauge POOL_CONNECTIONS = "compozy_pool_connections" { state: State { Idle = "idle", Busy = "busy" } };
    ///     /// Messages that wait in the channel.
    ///     pub gauge CHANNEL_LENGTH = "compozy_channel_length";
    /// }
    ///
    /// # struct Pool;
    /// # impl Pool { fn idle(&self) -> usize { 3 } }
    /// let service = compozy_monitoring::MonitoringService::for_test();
    /// let pool = Arc::new(Pool);
    /// let _pool = service.observe(POOL_CONNECTIONS.with(State::Idle), move || pool.idle());
    ///
    /// let (sender, mut receiver) = tokio::sync::mpsc::channel::<u8>(8);
    /// let watched = sender.downgrade(); // does not keep the channel open
    /// let _channel = service.observe(CHANNEL_LENGTH.handle(), move || {
    ///     watched.upgrade().map_or(0, |sender| sender.max_capacity() - sender.capacity())
    /// });
    /// sender.try_send(1).unwrap();
    /// # #[cfg(feature = "prometheus")]
    /// service.snapshot().assert(r#"
    ///     compozy_channel_length 1
    ///     compozy_pool_connections{state="busy"} 0
    ///     compozy_pool_connections{state="idle"} 3
    /// "#);
    /// # drop(receiver);
    /// ```
    #[cfg_attr(feature = "prometheus", track_caller)]
    #[allow(unused_mut, unused_variables, reason = "without the feature nothing is read")]
    pub fn observe<H: Observable, T: Number>(
        &self,
        handle: H,
        mut read: impl FnMut() -> T + Send + 'static,
    ) -> ObserveGuard {
        #[cfg(feature = "prometheus")]
        if let Some(store) = self.store() {
            let at = Location::caller();
            let name = format!("{} ({}:{})", handle.name(), at.file(), at.line());
            let (handle, weak) = (Arc::new(std::sync::Mutex::new(handle)), Arc::downgrade(store));
            let read = move || -> Box<dyn FnOnce()> {
                let value = read().to_f64();
                let (handle, weak) = (handle.clone(), weak.clone());
                Box::new(move || {
                    if let Some(store) = weak.upgrade() {
                        handle
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .set_in(&InStore(&store), value);
                    }
                })
            };
            let observation = store.observations.add(name, Box::new(read));
            return ObserveGuard(Some((store.clone(), observation)));
        }
        ObserveGuard(None)
    }
}

/// The guard of [`MonitoringService::observe`]. The value is no longer read once the guard is dropped.
#[derive(Debug)]
#[must_use = "the value is read as long as the guard lives, and `let _ =` drops it at once: write `let _pool =`"]
pub struct ObserveGuard(
    #[cfg(feature = "prometheus")] Option<(Arc<Store>, Arc<Observation>)>,
    #[cfg(not(feature = "prometheus"))] Option<std::convert::Infallible>,
);

#[cfg(feature = "prometheus")]
impl Drop for ObserveGuard {
    fn drop(&mut self) {
        if let Some((store, observation)) = self.0.take() {
            store.observations.remove(&observation);
        }
    }
}
