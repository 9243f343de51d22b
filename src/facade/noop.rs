//! The handles of a build without the feature `prometheus`: empty types whose methods are empty.

use std::marker::PhantomData;

use metrics::{Key, Label};

use super::number::Number;
use crate::schema::family::FamilyDef;

/// Whether this build records anything.
pub const COMPILED: bool = false;

/// Whether a record made now would go anywhere.
#[inline(always)]
pub const fn is_on() -> bool {
    false
}

/// A handle of one kind.
pub trait Handle: Sized + 'static {
    #[doc(hidden)]
    const NOOP: Self;
}

/// A call site: in this build an empty static.
#[derive(Debug)]
pub struct Site<H: Handle>(PhantomData<fn() -> H>);

impl<H: Handle> Site<H> {
    /// A call site of this name with these labels.
    #[must_use]
    pub const fn new(_: &'static str, _: &'static [Label]) -> Self {
        Self(PhantomData)
    }

    /// The empty handle.
    #[inline(always)]
    pub fn handle(&'static self) -> H {
        H::NOOP
    }
}

/// A handle that was taken while monitoring was off: in this build all are alike.
#[derive(Debug)]
pub struct Early;

impl Early {
    /// Of a family.
    #[must_use]
    pub const fn new(_: &'static str) -> Self {
        Self
    }

    /// The empty handle.
    #[inline(always)]
    pub fn handle<H: Handle>(&'static self) -> H {
        H::NOOP
    }
}

/// A running timer: in this build there is none.
#[derive(Debug)]
pub(super) enum Running {}

impl Running {
    pub(super) fn record(self) {}
}

/// A guard that counts: in this build there is none.
#[derive(Debug)]
pub(super) enum Taken {}

impl Taken {
    pub(super) fn give_back(self) {}
}

/// A handle that `observe` takes: a gauge or a counter.
#[diagnostic::on_unimplemented(
    message = "`observe` takes the handle of a gauge or counter, and this is `{Self}`",
    label = "of a family without labels: `FAMILY.handle()`; with labels: `FAMILY.with(..)`"
)]
pub trait Observable: Send + 'static {}

impl Observable for Gauge {}
impl Observable for Counter {}

/// The index of a value that its closed set does not have.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// The part of a [`Family`](crate::Family) that would find its series.
#[derive(Debug)]
pub struct LazyFamily<H: Handle>(PhantomData<fn() -> H>);

impl<H: Handle> LazyFamily<H> {
    pub(crate) const fn new(_: &'static FamilyDef) -> Self {
        Self(PhantomData)
    }

    #[inline(always)]
    pub(crate) fn dense(&'static self, _: usize) -> H {
        H::NOOP
    }

    #[inline(always)]
    pub(crate) fn to_record(&'static self) -> H {
        H::NOOP
    }

    #[inline(always)]
    pub(crate) fn text<'a, const N: usize>(&'static self, _: impl FnOnce() -> [&'a str; N]) -> H {
        H::NOOP
    }

    #[inline(always)]
    pub(crate) fn remove<'a, const N: usize>(&'static self, _: impl FnOnce() -> [&'a str; N]) {}

    #[inline(always)]
    pub(crate) fn clear(&'static self) {}

    pub(crate) fn declare(&'static self, _: &Registrar<'_>) {}
}

/// Where families are declared: in this build nowhere.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registrar<'a>(pub(crate) PhantomData<&'a ()>);

/// The handle of a key with computed labels.
#[inline(always)]
pub fn resolve<H: Handle>(_: &Key) -> H {
    H::NOOP
}

/// Runs no description.
#[inline(always)]
pub fn describe(_: impl FnOnce(&dyn metrics::Recorder)) {}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[must_use = "a handle does nothing until it records"]
        pub struct $name;

        impl $name {
            /// A handle that records nothing.
            pub const fn noop() -> Self {
                Self
            }
        }

        impl Handle for $name {
            const NOOP: Self = Self;
        }

        impl From<metrics::$name> for $name {
            fn from(_: metrics::$name) -> Self {
                Self
            }
        }

        impl From<$name> for metrics::$name {
            fn from(_: $name) -> Self {
                Self::noop()
            }
        }
    };
}

handle!(
    /// A counter handle; in this build an empty type.
    Counter
);
handle!(
    /// A gauge handle; in this build an empty type.
    Gauge
);
handle!(
    /// A histogram handle; in this build an empty type.
    Histogram
);

impl Counter {
    /// Nothing in this build.
    #[inline(always)]
    pub fn increment(&self, _: u64) {}

    /// Nothing in this build.
    #[inline(always)]
    pub fn absolute(&self, _: u64) {}
}

impl Gauge {
    /// Nothing in this build.
    #[inline(always)]
    pub fn increment<T: Number>(&self, _: T) {}

    /// Nothing in this build.
    #[inline(always)]
    pub fn decrement<T: Number>(&self, _: T) {}

    #[inline(always)]
    pub(super) fn take_one(&self) -> Option<Taken> {
        None
    }

    /// Nothing in this build.
    #[inline(always)]
    pub fn set<T: Number>(&self, _: T) {}
}

impl Histogram {
    #[inline(always)]
    pub(super) fn start(&self) -> Option<Running> {
        None
    }

    /// Nothing in this build.
    #[inline(always)]
    pub fn record<T: Number>(&self, _: T) {}

    /// Nothing in this build.
    #[inline(always)]
    pub fn record_many<T: Number>(&self, _: T, _: usize) {}
}
