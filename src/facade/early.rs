//! A handle that was taken while monitoring was off. Its label values were not kept.

use crate::{
    dispatch::{switch, target::target},
    support::panics::catch_panic,
};

/// Such a handle knows its family, or where it was taken, and no label values. A record through it after the start is lost, so
/// it is counted and logged.
#[derive(Debug)]
pub struct Early(&'static str);

impl Early {
    /// The name of the family; of one with a computed name, the call site.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    pub(super) fn name(&self) -> &'static str {
        self.0
    }

    /// Whether a record through it would be counted as lost.
    #[inline(always)]
    pub(super) fn is_missed(&self) -> bool {
        switch::is_anybody_on()
    }

    /// Asks only whether any service is on: that is cheaper than asking which.
    #[inline(always)]
    pub(super) fn record(&self) {
        if switch::is_anybody_on() {
            self.lost();
        }
    }

    /// For `extern "C"` see [`catch_panic`].
    #[cold]
    #[inline(never)]
    extern "C" fn lost(&self) {
        if switch::load_for_record() == 0 {
            return;
        }
        catch_panic(|| {
            if let Some(store) = target().store() {
                let diagnostics = &store.diagnostics;
                let _ = diagnostics.catch_and_report(self.0, || diagnostics.early(self.0));
            }
        });
    }
}
