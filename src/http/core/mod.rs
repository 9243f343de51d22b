//! One request, whatever the framework.

#[cfg(feature = "prometheus")]
pub(crate) mod clock;
#[cfg(feature = "prometheus")]
pub(crate) mod method;
pub(crate) mod negotiation;
#[cfg(feature = "prometheus")]
pub(crate) mod path_matcher;
#[cfg(feature = "prometheus")]
pub(crate) mod shared_render;
pub(crate) mod template_aliases;
