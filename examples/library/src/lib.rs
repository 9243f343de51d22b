//! A library that delivers letters, and is instrumented once for everybody.

mod metrics;

/// The families, for `MonitoringService::register`.
#[cfg(feature = "monitoring")]
pub use metrics::FAMILIES;
pub use metrics::{Method, Refusal};

/// What a pigeon carries, in grams.
const HEAVIEST: u32 = 75;

/// Delivers a letter.
///
/// # Errors
/// Without an address there is nowhere to go.
pub fn deliver(method: Method, address: &str) -> Result<(), Refusal> {
    deliver_parcel(method, address, 20)
}

/// Delivers a letter of so many grams.
///
/// # Errors
/// As [`deliver`]; and there are limits to what a pigeon carries.
pub fn deliver_parcel(method: Method, address: &str, grams: u32) -> Result<(), Refusal> {
    let result = if address.is_empty() {
        Err(Refusal::NoAddress)
    } else if method == Method::Pigeon && grams > HEAVIEST {
        Err(Refusal::TooHeavy)
    } else {
        Ok(())
    };
    match result {
        Ok(()) => metrics::delivered(method),
        Err(refusal) => metrics::refused(refusal),
    }
    result
}

/// The same, some time later.
///
/// # Errors
/// As [`deliver`].
pub async fn deliver_later(method: Method, address: &str) -> Result<(), Refusal> {
    deliver(method, address)
}
