//! The crate's own families, and what it reads at each scrape.

pub(crate) mod catalogue;
#[cfg(any(feature = "process", feature = "tokio-runtime"))]
pub(crate) mod collectors;
#[cfg(feature = "process")]
mod process;
#[cfg(feature = "tokio-runtime")]
mod tokio_runtime;
