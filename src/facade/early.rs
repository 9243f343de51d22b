//! A handle that was taken while monitoring was off, with label values that nobody kept.

use crate::{
    dispatch::{switch, target::target},
    support::panics::catch_panic,
};

/// What such a handle knows: its family, or where it was taken. A record after the start is lost, so it is counted and
/// logged.
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

    /// Whether somebody would miss a record.
    #[inline(always)]
    pub(super) fn is_missed(&self) -> bool {
        switch::is_anybody_on()
    }

    /// Only asks whether anybody records, which costs less than who.
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
