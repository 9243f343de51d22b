//! What users hold: macros, handles, call sites, declared families, and their no-op twins.

#[macro_use]
mod macros;

#[cfg(feature = "prometheus")]
mod binding;
#[cfg(feature = "prometheus")]
mod call_site;
#[cfg(feature = "prometheus")]
mod early;
pub(crate) mod family;
#[cfg(feature = "prometheus")]
pub(crate) mod handles;
#[cfg(not(feature = "prometheus"))]
#[path = "noop.rs"]
pub(crate) mod handles;
#[cfg(feature = "prometheus")]
mod held;
#[cfg(feature = "prometheus")]
mod lazy_family;
pub(crate) mod number;
#[cfg(feature = "prometheus")]
mod observed;
#[cfg(feature = "prometheus")]
mod pinned;
#[cfg(feature = "prometheus")]
mod running;
pub(crate) mod timer;
pub(crate) mod track;
