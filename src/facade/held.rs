//! What a handle has to drop.

use std::sync::Arc;

use crate::support::reentrancy::drop_slowly;

/// One pointer, by value, dropped out of line. A call site whose handle needs no drop must not keep it in memory for one:
/// that would cost a disabled record more than its loads and branches.
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
