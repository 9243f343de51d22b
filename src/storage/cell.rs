//! The value of one series: a few atomics that any thread may change at any time.

use std::fmt::Debug;

use crate::schema::family::Kind;

/// One kind of value: a [counter](super::counter), a [gauge](super::gauge) or a [histogram](super::histogram).
pub trait Cell: Default + Debug + Send + Sync + Sized + 'static {
    /// One change of the value.
    type Op: Copy;

    #[doc(hidden)]
    const KIND: Kind;

    /// Changes the value.
    fn apply(&self, op: Self::Op);
    /// Whether nothing was ever recorded, as far as the value tells.
    fn is_untouched(&self) -> bool;
    /// How many samples were dropped because they are not numbers, since this was last asked.
    fn take_dropped(&self) -> u64 {
        0
    }
}

/// Something that takes changes: a series, a place of a dense table, a call site.
pub trait Apply<C: Cell>: Send + Sync + 'static {
    /// Takes one change.
    fn apply(&self, op: C::Op);
}
