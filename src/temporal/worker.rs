//! How many workers run, and how many there should be.

use crate::MonitoringService;

/// One running worker, from [`MonitoringService::track_worker`] until it is dropped.
#[must_use = "the worker counts as running only while this lives"]
pub struct WorkerGuard {
    #[cfg(feature = "prometheus")]
    running: Option<crate::storage::resolved::Resolved<crate::storage::gauge::GaugeCell>>,
}

impl std::fmt::Debug for WorkerGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerGuard").finish_non_exhaustive()
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "temporal")))]
impl MonitoringService {
    /// Counts a worker as running. `compozy_temporal_workers_running_total` goes up by one now, and down by one when
    /// the guard is dropped, whether the worker ended, failed or panicked.
    ///
    /// ```
    /// let service = compozy_monitoring::MonitoringService::for_test();
    /// let guard = service.track_worker();
    /// # #[cfg(feature = "prometheus")]
    /// assert!(service.render().contains("compozy_temporal_workers_running_total 1"));
    /// drop(guard);
    /// # #[cfg(feature = "prometheus")]
    /// assert!(service.render().contains("compozy_temporal_workers_running_total 0"));
    /// ```
    pub fn track_worker(&self) -> WorkerGuard {
        #[cfg(feature = "prometheus")]
        return live::track(self);
        #[cfg(not(feature = "prometheus"))]
        WorkerGuard {}
    }

    /// Sets `compozy_temporal_workers_configured_total`, the number of workers that this instance was told to run.
    pub fn set_workers_configured(&self, workers: usize) {
        #[cfg(feature = "prometheus")]
        live::configured(self, workers);
        #[cfg(not(feature = "prometheus"))]
        let _ = workers;
    }
}

#[cfg(feature = "prometheus")]
mod live {
    use super::WorkerGuard;
    use crate::{
        MonitoringService,
        builtin::catalogue::{WORKERS_CONFIGURED, WORKERS_RUNNING},
        schema::names::own_name,
        storage::gauge::GaugeOp,
    };

    pub(super) fn track(service: &MonitoringService) -> WorkerGuard {
        let running = service.store().and_then(|store| {
            let name = own_name!("temporal_workers_running_total");
            store.diagnostics.catch_and_report(name, || {
                let gauge = WORKERS_RUNNING.lazy.series_in(store, &[]);
                gauge.apply(GaugeOp::Add(1.0));
                gauge
            })
        });
        WorkerGuard { running }
    }

    pub(super) fn configured(service: &MonitoringService, workers: usize) {
        if let Some(store) = service.store() {
            let _ = store.diagnostics.catch_and_report(own_name!("temporal_workers_configured_total"), || {
                WORKERS_CONFIGURED.lazy.series_in(store, &[]).apply(GaugeOp::Set(workers as f64));
            });
        }
    }

    impl Drop for WorkerGuard {
        fn drop(&mut self) {
            if let Some(gauge) = &self.running {
                gauge.apply(GaugeOp::Add(-1.0));
            }
        }
    }
}
