//! What users hold: macros, handles, call sites, declared families, and their no-op twins.

#[macro_use]
mod macros;

pub(crate) mod family;
#[cfg(feature = "prometheus")]
pub(crate) mod handles;
#[cfg(not(feature = "prometheus"))]
#[path = "noop.rs"]
pub(crate) mod handles;
pub(crate) mod number;
