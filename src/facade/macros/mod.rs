//! The macros. They expand to public types of this crate and to what `__private` in `lib.rs` exports: call sites (without the feature
//! `prometheus`, their twins in `noop`) and the checks of `schema::check`.

#[macro_use]
mod call_site;
#[macro_use]
mod families;
#[macro_use]
mod family;
#[macro_use]
mod faults;

/// The handle of a counter. The syntax is that of [`metrics::counter!`].
///
/// With literal labels, the call site looks up its series once and keeps it. It can be reached, and its handle kept,
/// before monitoring starts. With computed labels, the label expressions are evaluated only while monitoring is on, and
/// every call looks up the series. The compiler checks literal labels, and literal names that begin with `compozy_`:
/// see [`labels`](crate::labels).
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

/// The handle of a gauge. The syntax is that of [`metrics::gauge!`]. See [`counter!`](crate::counter).
///
/// ```
/// # let depth = 3;
/// compozy_monitoring::gauge!("compozy_queue_depth").set(depth);
/// ```
#[macro_export]
macro_rules! gauge {
    ($($input:tt)*) => { $crate::__handle!(Gauge, describe_gauge; [] []; $($input)*) };
}

/// The handle of a histogram. The syntax is that of [`metrics::histogram!`]. See [`counter!`](crate::counter).
///
/// A name that ends in `_seconds` has the buckets of the specification. One that ends in `_bytes` has 100 to
/// 100,000,000 by tens. Others are summaries. A `compozy_*` name has to end in one of the two.
///
/// ```
/// # let started = std::time::Instant::now();
/// compozy_monitoring::histogram!("compozy_query_duration_seconds").record(started.elapsed());
/// ```
#[macro_export]
macro_rules! histogram {
    ($($input:tt)*) => { $crate::__handle!(Histogram, describe_histogram; [] []; $($input)*) };
}

/// Describes a counter. The syntax is that of [`metrics::describe_counter!`]. A description given while monitoring is
/// off has no effect. A declared family has the help of its declaration.
#[macro_export]
macro_rules! describe_counter {
    ($($input:tt)*) => { $crate::__describe!(describe_counter, $($input)*) };
}

/// Describes a gauge. The syntax is that of [`metrics::describe_gauge!`]. See
/// [`describe_counter!`](crate::describe_counter).
#[macro_export]
macro_rules! describe_gauge {
    ($($input:tt)*) => { $crate::__describe!(describe_gauge, $($input)*) };
}

/// Describes a histogram. The syntax is that of [`metrics::describe_histogram!`]. See
/// [`describe_counter!`](crate::describe_counter).
#[macro_export]
macro_rules! describe_histogram {
    ($($input:tt)*) => { $crate::__describe!(describe_histogram, $($input)*) };
}

/// Sets `compozy_build_info` of a service to 1. Call it in the binary: its labels come from the crate in which it is
/// called.
///
/// The labels are `CARGO_PKG_VERSION` of that crate, the variable `COMPOZY_COMMIT_HASH` of the build (`unknown` if it
/// is not set), and the version of the compiler. If it is called again for the same service, the first call stays.
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
