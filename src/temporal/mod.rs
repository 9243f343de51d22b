//! Temporal: workflow counters that agree with the server, the SDK's own families, and worker gauges.
//!
//! The [meter](meter) sees the outcomes that the server accepted. The [interceptor] sees starts. What a worker
//! [sent](ends) to end its runs, and the answer to it, gives durations and benign failures. The [`Ledger`](ledger) counts. None
//! of them changes what a workflow does.

use std::sync::Arc;

use temporalio_common::telemetry::{
    TelemetryOptions,
    metrics::{CoreMeter, NoOpCoreMeter},
};
use temporalio_sdk::{
    WorkerOptions,
    runtime::RuntimeOptions,
    workflow_interceptors::{WorkflowInterceptor, WorkflowInterceptorConstructor},
};

#[cfg(feature = "prometheus")]
use self::service_ref::ServiceRef;
use crate::MonitoringService;

#[cfg(feature = "prometheus")]
mod ends;
#[cfg(feature = "prometheus")]
mod interceptor;
#[cfg(feature = "prometheus")]
pub(crate) mod ledger;
#[cfg(feature = "prometheus")]
mod meter;
#[cfg(feature = "prometheus")]
mod queue;
#[cfg(feature = "prometheus")]
mod service_ref;
#[cfg(all(test, feature = "prometheus"))]
mod tests;
mod worker;

pub use worker::WorkerGuard;

/// The interceptor of a service that is off. It passes everything on.
struct Delegate;

impl WorkflowInterceptor for Delegate {}

/// The feature `temporal`. It does nothing while monitoring is off.
#[cfg_attr(docsrs, doc(cfg(feature = "temporal")))]
impl MonitoringService {
    /// Options for the SDK's `Runtime` with the [meter](Self::temporal_meter). All workflow metrics need this line and
    /// [`instrument_worker`](Self::instrument_worker). Everything else in the options is the SDK's default. To set
    /// more, build the options yourself with the meter.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// # use compozy_monitoring::{Config, MonitoringService};
    /// use temporalio_sdk::{Runtime, WorkerOptions};
    ///
    /// let service = MonitoringService::new(Config::from_env()?)?;
    /// let runtime = Runtime::from_current_tokio(service.temporal_runtime_options())?;
    /// let mut options = WorkerOptions::new("compozy").build();
    /// service.instrument_worker(&mut options);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn temporal_runtime_options(&self) -> RuntimeOptions {
        if !self.is_enabled() {
            return RuntimeOptions::default();
        }
        let telemetry = TelemetryOptions::builder().metrics(self.temporal_meter()).build();
        // The only setting that can be refused is the heartbeat's, which stays the default.
        RuntimeOptions::builder().telemetry_options(telemetry).build().unwrap_or_default()
    }

    /// Instruments a worker: adds the [interceptor](Self::temporal_interceptor), and the part that reports how its runs
    /// end. Interceptors run in the order in which they are added. Call this before adding others, so that it sees the
    /// result of their work.
    pub fn instrument_worker(&self, options: &mut WorkerOptions) {
        #[cfg(feature = "prometheus")]
        if let Some(instance) = self.instance_if_on() {
            let ends = Arc::new(ends::Ends::new(ServiceRef::of(instance), options));
            options.workflow_interceptor(interceptor::constructor(instance, Some(ends.clone())));
            options.worker_interceptor(ends::Hooks(ends));
            if !instance.is_global() {
                options.activity_inbound_interceptor(interceptor::ActivityScope(self.clone()));
            }
        }
        #[cfg(not(feature = "prometheus"))]
        let _ = options;
    }

    /// The meter alone, for `TelemetryOptions::metrics` (with the default prefix `temporal_`) and for the
    /// `metrics_meter` of a connection. It gives the outcomes of workflows, their durations, and the SDK's own
    /// families.
    #[must_use]
    pub fn temporal_meter(&self) -> Arc<dyn CoreMeter> {
        #[cfg(feature = "prometheus")]
        if let Some(instance) = self.instance_if_on() {
            return Arc::new(meter::Meter::new(instance));
        }
        Arc::new(NoOpCoreMeter)
    }

    /// The interceptor alone, for `WorkerOptions::register_workflow_interceptors` and `WorkflowReplayer`. It counts
    /// started workflows, and mutes the macros and families of workflow code while it is replayed. In a replayer with
    /// the default namespace it only mutes.
    #[must_use]
    pub fn temporal_interceptor(&self) -> WorkflowInterceptorConstructor {
        #[cfg(feature = "prometheus")]
        if let Some(instance) = self.instance_if_on() {
            return interceptor::constructor(instance, None);
        }
        WorkflowInterceptorConstructor::new(|_| Delegate)
    }
}
