//! Prometheus metrics for a Rust service: instrument each module once. Only a binary that turns metrics on pays for
//! them.
//!
//! | build and setting | what a call site pays |
//! |---|---|
//! | feature `prometheus` not compiled in | nothing: the machine code is the same as without the call |
//! | compiled in, disabled | one load and one branch; no label is evaluated |
//! | enabled | the same load, then an update of the series |
//!
//! ```
//! use compozy_monitoring::{Config, MonitoringService, counter};
//!
//! compozy_monitoring::families! {
//!     /// Task items processed
//!     pub counter TASK_ITEMS_PROCESSED = "compozy_task_items_processed_total";
//! }
//!
//! # fn main() -> Result<(), compozy_monitoring::ConfigError> {
//! // A real binary: `Config::from_env()?`, which reads `MONITORING_ENABLED`.
//! let service = MonitoringService::new(Config::default().enabled(true))?;
//! compozy_monitoring::build_info!(service);
//!
//! TASK_ITEMS_PROCESSED.increment(3);
//! counter!("compozy_jobs_total", "queue" => "default").increment(1); // `queue` is on the application's list: see `labels`
//!
//! # if cfg!(feature = "prometheus") {
//! assert!(service.render().contains("compozy_task_items_processed_total 3"));
//! # }
//! service.shutdown();
//! # Ok(()) }
//! ```
//!
//! Where to go next:
//!
//! - [`families!`] declares metrics, [`counter!`] records one without a declaration, [`labels`] says what a metric may carry.
//! - [`MonitoringService`] starts and stops monitoring, and is what tests use. [`Config`] has the settings.
//! - The README has a whole service for poem and for axum. `docs/README.md` lists all pages: a tutorial, how-to pages, reference,
//!   and explanation. `features.md` says what each Cargo feature adds and costs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Monitoring must not stop the application: code that runs beside it has no way to panic. `catch_panic` in `support` and
// `catch_and_report` in `storage` catch what these lints do not see. Exceptions are `expect`ed where they are, with a reason.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_in_result,
        clippy::unwrap_used
    )
)]

#[macro_use]
mod facade;

#[cfg(feature = "prometheus")]
mod builtin;
mod config;
#[cfg(feature = "prometheus")]
mod dispatch;
#[cfg(feature = "prometheus")]
// Without a scrape there is the text only.
#[cfg_attr(not(feature = "_scrape"), allow(dead_code))]
mod exposition;
#[cfg(feature = "_scrape")]
mod http;
mod missing;
mod schema;
mod service;
#[cfg(feature = "prometheus")]
mod storage;
#[cfg(feature = "prometheus")]
mod support;
#[cfg(feature = "temporal")]
mod temporal;

pub use config::{Config, ConfigError};
pub use facade::{
    family::{DeclaredFamily, Families, Family},
    handles::{Counter, Gauge, Histogram, Observable},
    number::Number,
    timer::{Timed, Timer},
    track::TrackGuard,
};
#[cfg(feature = "serve")]
#[cfg_attr(docsrs, doc(cfg(feature = "serve")))]
pub use http::ListenAddress;
#[cfg(feature = "openapi")]
#[cfg_attr(docsrs, doc(cfg(feature = "openapi")))]
pub use http::OpenApiDocument;
#[cfg(feature = "view")]
#[cfg_attr(docsrs, doc(cfg(feature = "view")))]
pub use http::ViewEndpoint;
#[cfg(all(feature = "http-tower", feature = "prometheus"))]
#[cfg_attr(docsrs, doc(cfg(feature = "http-tower")))]
pub use http::{CountedBody, HttpLayerFuture, HttpLayerService};
#[cfg(feature = "http-tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-tower")))]
pub use http::{DefaultRoutes, HttpLayer, MetricsBody, MetricsService, RequestHead, RouteFunction, Routes};
#[cfg(feature = "http-poem")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-poem")))]
pub use http::{HttpMetrics, HttpMetricsEndpoint, MetricsEndpoint, MetricsRoute};
pub use metrics;
pub use schema::{
    family::{ClosedLabel, Text},
    labels,
};
#[cfg(feature = "prometheus")]
#[cfg_attr(docsrs, doc(cfg(feature = "prometheus")))]
pub use service::Snapshot;
pub use service::{MonitoringService, ObserveGuard, RenderError, Scoped};
#[cfg(feature = "temporal")]
#[cfg_attr(docsrs, doc(cfg(feature = "temporal")))]
pub use temporal::WorkerGuard;

#[doc(hidden)]
pub mod __private {
    pub use crate::{
        facade::handles::{COMPILED, Early, Site, describe, is_on, resolve},
        schema::check::{
            check_buckets, check_declared_once, check_family, check_family_label, check_help, check_labels, check_site,
            declared_again,
        },
        schema::family::{FamilyDef, Kind, LabelDef},
    };
}

#[cfg(all(test, models))]
#[path = "../models/models.rs"]
mod models;

/// The code blocks of the documents, as doc tests. They need the features that they show, because nothing in them is hidden
/// from the reader. `tests/suite/once/first_day.rs` runs those of the README and the tutorial, which are programs.
#[cfg(doctest)]
mod documents {
    #[cfg(feature = "prometheus")]
    #[doc = include_str!("../docs/add-a-metric.md")]
    struct AddAMetric;
    #[doc = include_str!("../docs/labels.md")]
    struct Labels;
    #[doc = include_str!("../docs/migration.md")]
    struct Migration;
    #[cfg(feature = "http-poem")]
    #[doc = include_str!("../docs/requests.md")]
    struct Requests;
    #[cfg(feature = "http-poem")]
    #[doc = include_str!("../docs/security.md")]
    struct Security;
    #[cfg(all(feature = "prometheus", feature = "temporal"))]
    #[doc = include_str!("../docs/temporal.md")]
    struct Temporal;
    #[cfg(feature = "prometheus")]
    #[doc = include_str!("../docs/testing.md")]
    struct Testing;
    #[cfg(all(feature = "http-axum", feature = "openapi", feature = "serve", feature = "view"))]
    #[doc = include_str!("../docs/web-frameworks.md")]
    struct WebFrameworks;
}
