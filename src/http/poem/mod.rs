//! poem: its middleware and its endpoint.

pub(crate) mod endpoint;
#[cfg(feature = "prometheus")]
mod gzipped;
pub(crate) mod middleware;
#[cfg(feature = "openapi")]
pub(crate) mod openapi;
#[cfg(feature = "prometheus")]
pub(crate) mod request;
