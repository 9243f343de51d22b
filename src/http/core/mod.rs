//! One request and one scrape, whatever the framework.

pub(crate) mod authorization;
#[cfg(all(feature = "_middleware", feature = "prometheus"))]
pub(crate) mod body;
#[cfg(all(feature = "_middleware", feature = "prometheus"))]
pub(crate) mod clock;
#[cfg(all(feature = "_middleware", feature = "prometheus"))]
pub(crate) mod in_flight;
#[cfg(all(feature = "_middleware", feature = "prometheus"))]
pub(crate) mod labels;
#[cfg(feature = "prometheus")]
pub(crate) mod negotiation;
pub(crate) mod scrape;
#[cfg(feature = "prometheus")]
pub(crate) mod shared_render;
#[cfg(all(feature = "_middleware", feature = "prometheus"))]
pub(crate) mod templates;
#[cfg(all(feature = "_middleware", feature = "prometheus"))]
pub(crate) mod tracker;

/// The path of a request that no route took.
#[cfg(any(feature = "http-poem", all(feature = "_middleware", feature = "prometheus")))]
pub(crate) const UNMATCHED: &str = "unmatched";
/// The path of a request whose template is not known.
#[cfg(any(feature = "http-poem", all(feature = "_middleware", feature = "prometheus")))]
pub(crate) const UNKNOWN: &str = "unknown";
#[cfg(feature = "view")]
pub(crate) mod view;
