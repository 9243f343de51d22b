//! What a web service needs: a middleware that counts, and an answer to scrapes.

#[cfg(any(feature = "_middleware", feature = "prometheus", feature = "view"))]
pub(crate) mod core;
#[cfg(feature = "http-poem")]
mod poem;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "http-tower")]
mod tower;

#[cfg(all(feature = "http-tower", feature = "prometheus"))]
pub use self::core::body::CountedBody;
#[cfg(feature = "http-tower")]
pub use self::core::scrape::MetricsBody;
#[cfg(feature = "view")]
pub use self::core::view::ViewEndpoint;
#[cfg(feature = "openapi")]
pub use self::poem::openapi::OpenApiDocument;
#[cfg(feature = "http-poem")]
pub use self::poem::{
    endpoint::{MetricsEndpoint, MetricsRoute},
    middleware::{HttpMetrics, HttpMetricsEndpoint},
};
#[cfg(feature = "serve")]
pub use self::serve::ListenAddress;
#[cfg(all(feature = "http-tower", feature = "prometheus"))]
pub use self::tower::service::{HttpLayerFuture, HttpLayerService};
#[cfg(feature = "http-tower")]
pub use self::tower::{DefaultRoutes, RequestHead, RouteFunction, Routes, layer::HttpLayer, scrape::MetricsService};
