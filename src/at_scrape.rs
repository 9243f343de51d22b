//! What is not recorded but read at each scrape, of the process and of its Tokio runtime.

#[cfg(feature = "process")]
mod process;
#[cfg(feature = "tokio-runtime")]
mod tokio_runtime;

/// A family of one series, with its value now.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// The word behind `# TYPE`.
    pub(crate) kind: &'static str,
    pub(crate) value: f64,
}

/// All of them, sorted by name.
pub(crate) fn families() -> Vec<Family> {
    #[allow(unused_mut)]
    let mut all = Vec::new();
    #[cfg(feature = "process")]
    all.extend(process::families());
    #[cfg(feature = "tokio-runtime")]
    all.extend(tokio_runtime::families());
    all
}
