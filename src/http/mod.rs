//! The two things that a poem server needs: a middleware that counts, and an endpoint to scrape.

#[cfg(feature = "prometheus")]
mod clock;
mod encoding;
mod endpoint;
mod middleware;
mod names;
#[cfg(feature = "openapi")]
mod openapi;
#[cfg(feature = "prometheus")]
mod request;
#[cfg(feature = "prometheus")]
mod shape;

pub use endpoint::{MetricsEndpoint, MetricsRoute};
pub use middleware::{HttpMetrics, HttpMetricsEndpoint};
#[cfg(feature = "openapi")]
pub use openapi::OpenApiDocument;
