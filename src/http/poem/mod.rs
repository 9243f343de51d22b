//! poem: its middleware and its endpoint.

pub(crate) mod endpoint;
mod gzipped;
pub(crate) mod middleware;
#[cfg(feature = "openapi")]
pub(crate) mod openapi;
#[cfg(feature = "prometheus")]
mod path_matcher;
#[cfg(feature = "prometheus")]
mod route;
mod template_aliases;
#[cfg(feature = "view")]
mod view;
