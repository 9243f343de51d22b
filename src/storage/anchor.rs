//! One value, for somebody who changes it now and changes it back later.

use std::sync::Arc;

use super::{bridge::Bridge, dense::DenseSeries, resolved::Resolved, series::Series};
use crate::support::panics::catch_panic;

/// The very value that a series has now. Both changes go to it: where the series is removed in between, both are removed with
/// it, and the value that comes after begins at 0 and stays there.
#[derive(Debug)]
pub(crate) enum Anchor<C: Bridge> {
    /// The first value of a slot.
    First(DenseSeries<C>),
    /// A later one.
    Later(Arc<C>),
    Series(Arc<Series<C>>),
    /// A series that lives as long as the process.
    Kept(&'static Series<C>),
    /// Somebody else's, of which nothing is known.
    Foreign(C::Raw),
}

impl<C: Bridge> Anchor<C> {
    /// The value of a series; nothing for a gauge that has no place under the cap.
    pub(crate) fn of(resolved: &Resolved<C>) -> Option<Self> {
        match resolved {
            Resolved::Dense(series) => Some(series.anchor()),
            Resolved::Series(series) if series.is_removed() => series.successor().map(Self::Series),
            Resolved::Series(series) => Some(Self::Series(series.clone())),
            Resolved::Raw(raw) => Some(Self::Foreign(raw.clone())),
            Resolved::Nothing => None,
        }
    }

    /// The same of a series that lives as long as the process.
    pub(crate) fn of_kept(series: &'static Series<C>) -> Option<Self> {
        if series.is_removed() { series.successor().map(Self::Series) } else { Some(Self::Kept(series)) }
    }

    /// Changes the value, whatever the state of monitoring is.
    pub(crate) fn apply(&self, op: C::Op) {
        match self {
            Self::First(series) => series.apply_first(op),
            Self::Later(value) => value.apply(op),
            Self::Series(series) => series.cell.apply(op),
            Self::Kept(series) => series.cell.apply(op),
            Self::Foreign(raw) => catch_panic(|| C::apply_raw(raw, op)),
        }
    }
}

impl<C: Bridge> DenseSeries<C> {
    fn anchor(&self) -> Anchor<C> {
        self.later().map_or_else(|| Anchor::First(self.clone()), Anchor::Later)
    }
}
