//! The declarations of all families of this crate. Their names are in the namespace of the build: `compozy_*`, unless it has another.

use crate::{
    facade::family::Family,
    schema::names::own_name,
    storage::{gauge::GaugeOp, store::Store},
};

/// A family without labels.
pub(crate) type Plain<H> = Family<H, ()>;

/// As `families!`, for names behind the namespace of the build.
macro_rules! own_families {
    ($(#[doc = $doc:literal] pub(crate) $kind:ident $name:ident = $rest:literal $({ $($labels:tt)* })?;)*) => {
        $(crate::__kind! { $kind [[[= $doc]] [] [] [pub(crate)] []] $name own_name!($rest); $($($labels)*)? })*
    };
}

own_families! {
    /// Build information
    pub(crate) gauge BUILD_INFO = "build_info" { version: str, commit_hash: str, rust_version: str };
    /// Service uptime
    pub(crate) counter UPTIME = "uptime_seconds_total";
    /// 1 when monitoring is healthy; 0 within a minute of a caught fault
    pub(crate) gauge HEALTH = "monitoring_health";
    /// Labels dropped because their family does not have them or their value is outside its closed set
    pub(crate) counter REJECTED_LABELS = "monitoring_rejected_labels_total";
    /// Series refused because their family is at its cap, counted at each look-up
    pub(crate) counter OVERFLOWED_SERIES = "monitoring_overflowed_series_total";
    /// Records lost because their handle was taken while monitoring was off
    pub(crate) counter EARLY_HANDLES = "monitoring_early_handle_records_total";
    /// Records lost to a fault of monitoring
    pub(crate) counter ERRORS = "monitoring_errors_total";
}

#[cfg(feature = "_middleware")]
own_families! {
    /// Total HTTP requests
    pub(crate) counter HTTP_REQUESTS = "http_requests_total" {
        method: Method {
            Connect = "CONNECT", Delete = "DELETE", Get = "GET", Head = "HEAD", Options = "OPTIONS",
            Patch = "PATCH", Post = "POST", Put = "PUT", Trace = "TRACE", Other = "OTHER",
        },
        path: str,
        status_code: str,
    };
    /// HTTP request latency
    pub(crate) histogram HTTP_DURATION = "http_request_duration_seconds" { method: Method, path: str };
    /// Currently active requests
    pub(crate) gauge HTTP_IN_FLIGHT = "http_requests_in_flight";
}

#[cfg(feature = "temporal")]
own_families! {
    /// Started workflows
    pub(crate) counter WORKFLOW_STARTED = "temporal_workflow_started_total" { workflow_type: str };
    /// Completed workflows
    pub(crate) counter WORKFLOW_COMPLETED = "temporal_workflow_completed_total" { workflow_type: str };
    /// Failed workflows
    pub(crate) counter WORKFLOW_FAILED = "temporal_workflow_failed_total" { workflow_type: str };
    /// Canceled workflows
    pub(crate) counter WORKFLOW_CANCELED = "temporal_workflow_canceled_total" { workflow_type: str };
    /// Workflows continued as new
    pub(crate) counter WORKFLOW_CONTINUED = "temporal_workflow_continued_as_new_total" { workflow_type: str };
    /// Workflow execution time
    pub(crate) histogram WORKFLOW_DURATION = "temporal_workflow_duration_seconds" { workflow_type: str };
    /// Currently running workers
    pub(crate) gauge WORKERS_RUNNING = "temporal_workers_running_total";
    /// Configured workers per instance
    pub(crate) gauge WORKERS_CONFIGURED = "temporal_workers_configured_total";
}

/// Declares all of them, so that no other family can take a name. Those without labels are exported as 0 from the first scrape.
pub(super) fn declare(store: &Store) {
    for counter in [&UPTIME, &REJECTED_LABELS, &OVERFLOWED_SERIES, &EARLY_HANDLES, &ERRORS] {
        counter.lazy.declare_in(store);
    }
    HEALTH.lazy.declare_in(store);
    BUILD_INFO.lazy.declare_in(store);
    #[cfg(feature = "_middleware")]
    {
        HTTP_IN_FLIGHT.lazy.declare_in(store);
        HTTP_REQUESTS.lazy.declare_in(store);
        HTTP_DURATION.lazy.declare_in(store);
    }
    #[cfg(feature = "temporal")]
    {
        let counters =
            [&WORKFLOW_STARTED, &WORKFLOW_COMPLETED, &WORKFLOW_FAILED, &WORKFLOW_CANCELED, &WORKFLOW_CONTINUED];
        for counter in counters {
            counter.lazy.declare_in(store);
        }
        WORKFLOW_DURATION.lazy.declare_in(store);
        for gauge in [&WORKERS_RUNNING, &WORKERS_CONFIGURED] {
            gauge.lazy.declare_in(store);
        }
    }
}

/// `compozy_build_info`; the first call stays.
pub(crate) fn set_build_info(store: &Store, version: &str, commit_hash: &str, rust_version: &str) {
    if store.is_first_build_info() {
        BUILD_INFO.lazy.series_in(store, &[version, commit_hash, rust_version]).apply(GaugeOp::Set(1.0));
    }
}
