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
    /// Reads a value at each scrape and [`snapshot`](Self::snapshot), as long as the guard lives: the size of a pool, the length of a
    /// queue. For gauges, and for counters that somebody else counts.
    ///
    /// | | |
    /// |---|---|
    /// | the service is off | the closure is kept and never called |
    /// | the closure panics | the fault is logged and counted, the value stays; it is called again at the next scrape |
    /// | it does not answer within a second, or all together within two | the scrape goes on without it; the log names it, its value stays, and it is not called again until it has returned |
    /// | the guard is dropped, also while the closure runs | it is not called any more, and what it reads now is not set; the series keeps the value that was read last, until it is removed |
    /// | the service stops and another one starts | the process's one service goes on with it |
    ///
    /// The closure runs on a thread of the scrape's own, outside of an async runtime. Take the handle of free text in the service's
    /// scope, or after it has started.
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

/// Ends what [`MonitoringService::observe`] began, when it is dropped.
#[derive(Debug)]
#[must_use = "the value is read as long as the guard lives: give it a name, `_pool`"]
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
