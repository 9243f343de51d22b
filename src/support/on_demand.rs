//! A part of a value that is made when it is first needed.

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

    /// The part, made now if it is not there yet. Never waits: if two threads make it at once, the first one is kept. Nothing on a
    /// thread that must not enter a slow path, and nothing if `make` gives nothing.
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
