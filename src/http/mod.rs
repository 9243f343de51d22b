//! The two things that a poem server needs: a middleware that counts, and an endpoint to scrape.

#[cfg(feature = "prometheus")]
mod clock;
mod encoding;
mod endpoint;
mod middleware;
#[cfg(feature = "prometheus")]
mod request;
#[cfg(feature = "prometheus")]
mod shape;

pub use endpoint::MetricsEndpoint;
pub use middleware::{HttpMetrics, HttpMetricsEndpoint};
