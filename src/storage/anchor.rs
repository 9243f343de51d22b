//! One value, for somebody who changes it now and changes it back later.

use std::sync::Arc;

use super::{
    bridge::Bridge,
    dense::{DenseSeries, Slot},
    resolved::Resolved,
    series::Series,
};
use crate::support::panics::catch_panic;

/// The very value that a series has now. Both changes go to it: where the series is removed in between, both are removed with
/// it, and the value that comes after begins at 0 and stays there.
#[derive(Debug)]
pub(crate) enum Anchor<C: Bridge> {
    /// One that lives as long as the process.
    Kept(&'static C),
    /// The first value of a slot.
    First(DenseSeries<C>),
    /// A later one.
    Later(Arc<C>),
    Series(Arc<Series<C>>),
    /// Somebody else's, of which nothing is known.
    Foreign(C::Raw),
}

impl<C: Bridge> Anchor<C> {
    /// The value of a series; nothing for a gauge that has no place under the cap.
    pub(crate) fn of(resolved: &Resolved<C>) -> Option<Self> {
        match resolved {
            Resolved::Dense(series) => Some(series.later().map_or_else(|| Self::First(series.clone()), Self::Later)),
            Resolved::Series(series) if series.is_removed() => series.successor().map(Self::Series),
            Resolved::Series(series) => Some(Self::Series(series.clone())),
            Resolved::Raw(raw) => Some(Self::Foreign(raw.clone())),
            Resolved::Nothing => None,
        }
    }

    /// The same of a series that lives as long as the process.
    pub(crate) fn of_kept(series: &'static Series<C>) -> Option<Self> {
        if series.is_removed() { series.successor().map(Self::Series) } else { Some(Self::Kept(&series.cell)) }
    }

    /// The same of a slot.
    pub(crate) fn of_slot(slot: &'static Slot<C>) -> Self {
        slot.later().map_or_else(|| Self::Kept(slot.first()), Self::Later)
    }

    /// Changes the value, whatever the state of monitoring is.
    pub(crate) fn apply(&self, op: C::Op) {
        match self {
            Self::Kept(value) => value.apply(op),
            Self::First(series) => series.apply_first(op),
            Self::Later(value) => value.apply(op),
            Self::Series(series) => series.cell.apply(op),
            Self::Foreign(raw) => catch_panic(|| C::apply_raw(raw, op)),
        }
    }
}
