//! A library that delivers letters, and is instrumented once for everybody.

mod metrics;

/// The families, for `MonitoringService::register`.
#[cfg(feature = "monitoring")]
pub use metrics::FAMILIES;
pub use metrics::Method;

/// A letter without an address.
#[derive(Debug, PartialEq, Eq)]
pub struct NoAddress;

/// Delivers a letter.
///
/// # Errors
/// Without an address there is nowhere to go.
pub fn deliver(method: Method, address: &str) -> Result<(), NoAddress> {
    if address.is_empty() {
        metrics::refused();
        return Err(NoAddress);
    }
    metrics::delivered(method);
    Ok(())
}

/// The same, some time later.
///
/// # Errors
/// As [`deliver`].
pub async fn deliver_later(method: Method, address: &str) -> Result<(), NoAddress> {
    deliver(method, address)
}
