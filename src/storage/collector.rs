//! Values that are not recorded but read at each scrape.

use std::fmt::Debug;

/// Reads values at a scrape. The service registers its collectors with the store.
pub(crate) trait Collector: Debug + Send + Sync {
    /// The name under which its faults are logged.
    fn name(&self) -> &'static str;
    /// Reads the values. Sets series of a store, or adds readings of families that are not stored.
    fn collect(&self, readings: &mut Vec<Reading>);
}

/// A family of one series without labels, with its value now.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// Whether it only grows: a counter, otherwise a gauge.
    pub(crate) is_counter: bool,
    pub(crate) value: f64,
}
