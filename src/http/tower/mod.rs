//! tower: the layer and the scrape service, over `http` types, for axum, tonic, hyper and all else that speaks them.

#[cfg(feature = "http-axum")]
mod axum;
pub(crate) mod layer;
mod routes;
pub(crate) mod scrape;
#[cfg(feature = "prometheus")]
pub(crate) mod service;

pub use routes::{DefaultRoutes, RequestHead, RouteFunction, Routes};
