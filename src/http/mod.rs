//! The two things that a web service needs: a middleware that counts, and an endpoint to scrape.

pub(crate) mod core;
mod poem;

#[cfg(feature = "openapi")]
pub use self::poem::openapi::OpenApiDocument;
pub use self::poem::{
    endpoint::{MetricsEndpoint, MetricsRoute},
    middleware::{HttpMetrics, HttpMetricsEndpoint},
};
