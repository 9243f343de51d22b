//! A floating-point number that threads add to.

use super::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// The bits of an `f64`. No addition is lost. A thread that sees a change also sees what came before that change: the lanes of
/// a gauge need that.
#[derive(Debug, Default)]
pub(crate) struct AtomicF64(AtomicU64);

impl AtomicF64 {
    #[inline]
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Acquire))
    }

    #[inline]
    pub(crate) fn set(&self, value: f64) {
        if cfg!(models) {
            // `loom` has no order between a store and a change of another thread that read what was before it.
            self.0.swap(value.to_bits(), Release);
        } else {
            self.0.store(value.to_bits(), Release);
        }
    }

    /// Adds. Says whether another thread changed the number meanwhile.
    #[inline]
    pub(crate) fn add(&self, by: f64) -> bool {
        let mut seen = self.0.load(Relaxed);
        let mut is_alone = true;
        loop {
            let next = (f64::from_bits(seen) + by).to_bits();
            match self.0.compare_exchange(seen, next, Release, Relaxed) {
                Ok(_) => return !is_alone,
                Err(now) => seen = now,
            }
            is_alone = false;
        }
    }
}
