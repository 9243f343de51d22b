//! A pointer in a handle that has to be dropped.

use std::sync::Arc;

use crate::support::reentrancy::drop_slowly;

/// One pointer, dropped out of line. Inline drop code would make the compiler keep every handle in memory, also those that need
/// no drop: a disabled record would cost more than its load and branch.
#[derive(Debug)]
pub struct Held<T>(Option<Arc<T>>);

impl<T> Held<T> {
    pub(super) fn new(held: Option<T>) -> Self {
        Self(held.map(Arc::new))
    }

    pub(super) fn shared(held: Arc<T>) -> Self {
        Self(Some(held))
    }

    #[inline(always)]
    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// The pointer, to keep.
    pub(super) fn share(&self) -> Option<Arc<T>> {
        self.0.clone()
    }

    pub(super) fn take(&mut self) -> Option<Arc<T>> {
        self.0.take()
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Drop for Held<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            drop_held(held);
        }
    }
}

#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind")]
extern "C" fn drop_held<T>(held: Arc<T>) {
    drop_slowly(held);
}
