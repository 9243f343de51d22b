//! The macros. They only forward: what they do is in `handles` (or `noop`) and `family`.

#[macro_use]
mod call_site;
#[macro_use]
mod families;
#[macro_use]
mod faults;

/// Gives the handle of a counter: same syntax as [`metrics::counter!`].
///
/// With literal labels the call site resolves its series once and keeps it; it may be reached, and its handle kept,
/// before monitoring starts. With computed labels, the label expressions are evaluated only while monitoring is on.
/// Literal labels, and literal names that begin with `compozy_`, are checked by the compiler: see
/// [`labels`](crate::labels).
///
/// ```
/// use compozy_monitoring::{MonitoringService, counter};
///
/// let service = MonitoringService::for_test();
/// service.in_scope(|| counter!("compozy_jobs_total", "queue" => "default").increment(2));
/// # #[cfg(feature = "prometheus")]
/// assert!(service.render().contains(r#"compozy_jobs_total{queue="default"} 2"#));
/// ```
#[macro_export]
macro_rules! counter {
    ($($input:tt)*) => { $crate::__handle!(Counter, describe_counter; [] []; $($input)*) };
}

/// Gives the handle of a gauge: same syntax as [`metrics::gauge!`]. See [`counter!`](crate::counter).
///
/// ```
/// # let depth = 3;
/// compozy_monitoring::gauge!("compozy_queue_depth").set(depth);
/// ```
#[macro_export]
macro_rules! gauge {
    ($($input:tt)*) => { $crate::__handle!(Gauge, describe_gauge; [] []; $($input)*) };
}

/// Gives the handle of a histogram: same syntax as [`metrics::histogram!`]. See [`counter!`](crate::counter).
///
/// Names that end in `_seconds` get the buckets of the specification, those in `_bytes` get 100 to 100,000,000 by tens, others are
/// summaries. `compozy_*` names end in one of the two.
///
/// ```
/// # let started = std::time::Instant::now();
/// compozy_monitoring::histogram!("compozy_query_duration_seconds").record(started.elapsed());
/// ```
#[macro_export]
macro_rules! histogram {
    ($($input:tt)*) => { $crate::__handle!(Histogram, describe_histogram; [] []; $($input)*) };
}

/// Describes a counter: same syntax as [`metrics::describe_counter!`]. Declared families have the help of their
/// declaration; a description given while monitoring is off is not kept.
#[macro_export]
macro_rules! describe_counter {
    ($($input:tt)*) => { $crate::__describe!(describe_counter, $($input)*) };
}

/// Describes a gauge: same syntax as [`metrics::describe_gauge!`]. See [`describe_counter!`](crate::describe_counter).
#[macro_export]
macro_rules! describe_gauge {
    ($($input:tt)*) => { $crate::__describe!(describe_gauge, $($input)*) };
}

/// Describes a histogram: same syntax as [`metrics::describe_histogram!`]. See
/// [`describe_counter!`](crate::describe_counter).
#[macro_export]
macro_rules! describe_histogram {
    ($($input:tt)*) => { $crate::__describe!(describe_histogram, $($input)*) };
}

/// Sets `compozy_build_info` of a service to 1, with what is known where this expands: call it in the binary.
///
/// The labels are the binary's `CARGO_PKG_VERSION`, the variable `COMPOZY_COMMIT_HASH` of the build (`unknown` when
/// unset) and the version of the compiler. The first call on a service stays.
///
/// ```
/// let service = compozy_monitoring::MonitoringService::for_test();
/// compozy_monitoring::build_info!(service);
/// # #[cfg(feature = "prometheus")]
/// assert!(service.render().contains("compozy_build_info{commit_hash="));
/// ```
#[macro_export]
macro_rules! build_info {
    ($service:expr) => {
        $service.__set_build_info(
            ::core::env!("CARGO_PKG_VERSION"),
            match ::core::option_env!("COMPOZY_COMMIT_HASH") {
                ::core::option::Option::Some(hash) if !hash.is_empty() => hash,
                _ => "unknown",
            },
        )
    };
}
