//! What a value gets when it is first needed.

use std::fmt;

use super::{reentrancy::slow, sync::OnceBox};

/// A part of a value that most values do without. It is made once, and stays.
pub(crate) struct OnDemand<T>(OnceBox<T>);

impl<T> Default for OnDemand<T> {
    fn default() -> Self {
        Self(OnceBox::default())
    }
}

impl<T> fmt::Debug for OnDemand<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnDemand").field(&self.0.get().is_some()).finish()
    }
}

impl<T> OnDemand<T> {
    /// Nothing until it is made.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.get()
    }

    /// What is there, or is made now. Never waits: of two threads that make it at once, one is too late. Nothing where memory
    /// must not be asked for, or where `make` says that there is too much of it.
    #[inline]
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> Option<T>) -> Option<&T> {
        if self.get().is_none() {
            slow(|| {
                if let Some(made) = make() {
                    let _ = self.0.set(Box::new(made));
                }
            });
        }
        self.get()
    }
}
