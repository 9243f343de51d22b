//! The value of one series: a few atomics that any thread may change at any time.

use std::fmt::{self, Debug};

use crate::schema::family::{FamilyDef, Kind};

/// One kind of value: a [counter](super::counter), a [gauge](super::gauge) or a [histogram](super::histogram).
pub trait Cell: Default + Debug + Send + Sync + Sized + 'static {
    /// One change of the value.
    type Op: Copy;

    #[doc(hidden)]
    const KIND: Kind;

    /// Changes the value.
    fn apply(&self, op: Self::Op);
    /// Whether the value is as if nothing was ever recorded.
    fn is_untouched(&self) -> bool;
    /// Makes the values of a family.
    fn maker(_: &FamilyDef) -> Maker<Self> {
        Maker::default()
    }
    /// A new value of the same family.
    fn alike(&self) -> Self {
        Self::default()
    }
    /// How many samples were dropped because they are not numbers, since the last call.
    fn take_dropped(&self) -> u64 {
        0
    }
}

/// Makes values that begin at 0.
pub enum Maker<T> {
    /// The same for all families.
    Plain(fn() -> T),
    /// For the bounds of one family.
    Shaped(Box<dyn Fn() -> T + Send + Sync>),
}

impl<T> Maker<T> {
    pub(crate) fn make(&self) -> T {
        match self {
            Self::Plain(make) => make(),
            Self::Shaped(make) => make(),
        }
    }
}

impl<T: Default> Default for Maker<T> {
    fn default() -> Self {
        Self::Plain(T::default)
    }
}

impl<T> Debug for Maker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maker").finish_non_exhaustive()
    }
}

/// Something that takes changes: a series, a place of a dense table, a call site.
pub trait Apply<C: Cell>: Send + Sync + 'static {
    /// Takes one change.
    fn apply(&self, op: C::Op);
}
