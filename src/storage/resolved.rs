//! The result of a look-up. Call sites cache it.

use std::sync::Arc;

use super::{bridge::Bridge, cell::Apply, dense::DenseSeries, series::Series};
use crate::support::panics::{catch_panic, whole_after_a_panic};

/// One series, wherever it is kept.
#[derive(Debug)]
pub(crate) enum Resolved<C: Bridge> {
    Dense(DenseSeries<C>),
    Series(Arc<Series<C>>),
    /// A summary, or a foreign series: behind a handle of the `metrics` crate.
    Raw(C::Raw),
    /// Refused, and the reason was logged.
    Nothing,
}

whole_after_a_panic!(Resolved<C: Bridge>);

impl<C: Bridge> Resolved<C> {
    #[inline(always)]
    pub(crate) fn apply(&self, op: C::Op) {
        // The common cases come first. The others are one call: a jump table would cost these two time as well.
        match self {
            Self::Series(series) => series.apply(op),
            Self::Dense(series) => series.apply(op),
            Self::Raw(_) | Self::Nothing => self.apply_raw(op),
        }
    }

    /// A call through a pointer. For `extern "C"` see [`catch_panic`].
    #[cold]
    #[inline(never)]
    extern "C" fn apply_raw(&self, op: C::Op) {
        if let Self::Raw(raw) = self {
            catch_panic(|| C::apply_raw(raw, op));
        }
    }

    pub(crate) fn into_raw(self) -> C::Raw {
        match self {
            Self::Dense(series) => C::raw_from(Arc::new(series)),
            Self::Series(series) => C::raw_series(series),
            Self::Raw(raw) => raw,
            Self::Nothing => C::raw_noop(),
        }
    }
}
