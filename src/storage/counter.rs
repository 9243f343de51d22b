//! The value of a counter.

use super::cell::Cell;
use crate::{
    schema::family::Kind,
    support::sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// A change of a counter.
#[derive(Clone, Copy, Debug)]
pub enum CounterOp {
    /// Adds.
    Increment(u64),
    /// Raises to at least this value.
    Absolute(u64),
}

/// A monotonic count.
#[derive(Debug, Default)]
pub struct CounterCell(AtomicU64);

impl CounterCell {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Cell for CounterCell {
    type Op = CounterOp;
    const KIND: Kind = Kind::Counter;

    #[inline]
    fn apply(&self, op: CounterOp) {
        match op {
            CounterOp::Increment(by) => self.0.fetch_add(by, Relaxed),
            CounterOp::Absolute(value) => self.0.fetch_max(value, Relaxed),
        };
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0
    }
}
