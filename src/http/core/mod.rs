//! One request and one scrape, whatever the framework.

#[cfg(feature = "prometheus")]
pub(crate) mod body;
#[cfg(feature = "prometheus")]
pub(crate) mod clock;
#[cfg(feature = "prometheus")]
pub(crate) mod in_flight;
#[cfg(feature = "prometheus")]
pub(crate) mod labels;
pub(crate) mod negotiation;
pub(crate) mod scrape;
#[cfg(feature = "prometheus")]
pub(crate) mod shared_render;
#[cfg(feature = "prometheus")]
pub(crate) mod templates;
#[cfg(feature = "prometheus")]
pub(crate) mod tracker;

/// The path of a request that no route took.
pub(crate) const UNMATCHED: &str = "unmatched";
/// The path of a request whose template is not known.
pub(crate) const UNKNOWN: &str = "unknown";
