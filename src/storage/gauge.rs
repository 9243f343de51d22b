//! The value of a gauge.

use super::cell::Cell;
use crate::{schema::family::Kind, support::atomic_f64::AtomicF64};

/// A change of a gauge.
#[derive(Clone, Copy, Debug)]
pub enum GaugeOp {
    /// Adds, or takes away when negative.
    Add(f64),
    /// Replaces.
    Set(f64),
}

/// A value that goes up and down: one number, so that a scrape sees what it is at one moment.
#[derive(Debug, Default)]
pub struct GaugeCell(AtomicF64);

impl GaugeCell {
    pub(crate) fn get(&self) -> f64 {
        self.0.get()
    }
}

impl Cell for GaugeCell {
    type Op = GaugeOp;
    const KIND: Kind = Kind::Gauge;

    #[inline]
    fn apply(&self, op: GaugeOp) {
        match op {
            GaugeOp::Add(by) => _ = self.0.add(by),
            GaugeOp::Set(value) => self.0.set(value),
        }
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0.0
    }
}
