//! A floating-point number that threads add to.

use super::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The bits of an `f64`. No addition is lost.
#[derive(Debug, Default)]
pub(crate) struct AtomicF64(AtomicU64);

impl AtomicF64 {
    #[inline]
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }

    #[inline]
    pub(crate) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    #[inline]
    pub(crate) fn add(&self, by: f64) {
        let mut seen = self.0.load(Relaxed);
        loop {
            let next = (f64::from_bits(seen) + by).to_bits();
            match self.0.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}
