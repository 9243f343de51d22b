//! What is not recorded but read at each scrape, of the process and of its Tokio runtime.

#[cfg(feature = "process")]
use super::process;
#[cfg(feature = "tokio-runtime")]
use super::tokio_runtime;

/// A family of one series, with its value now.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// The word behind `# TYPE`.
    pub(crate) kind: &'static str,
    pub(crate) value: f64,
}

/// Who reads some of them, with the name that its faults are told in.
pub(crate) type Collector = (&'static str, fn() -> Vec<Family>);

pub(crate) const COLLECTORS: &[Collector] = &[
    #[cfg(feature = "process")]
    ("process", process::families),
    #[cfg(feature = "tokio-runtime")]
    ("tokio", tokio_runtime::families),
];
