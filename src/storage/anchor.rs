//! The value that a guard changes when it begins, and changes back when it ends.

use std::sync::Arc;

use super::{
    bridge::Bridge,
    dense::{DenseSeries, Slot},
    resolved::Resolved,
    series::Series,
};
use crate::support::panics::catch_panic;

/// The value that a series has now. Both changes go to this one: if the series is removed in between, both are removed with it, and the
/// value that comes after it stays at 0.
#[derive(Debug)]
pub(crate) enum Anchor<C: Bridge> {
    /// A value that lives as long as the process.
    Kept(&'static C),
    /// The first value of a slot.
    First(DenseSeries<C>),
    /// The value of a slot after a removal.
    Later(Arc<C>),
    Series(Arc<Series<C>>),
    /// A foreign handle of the `metrics` crate, whose value is not known.
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

    /// The value of a series that lives as long as the process.
    pub(crate) fn of_kept(series: &'static Series<C>) -> Option<Self> {
        if series.is_removed() { series.successor().map(Self::Series) } else { Some(Self::Kept(&series.cell)) }
    }

    /// The value of a slot.
    pub(crate) fn of_slot(slot: &'static Slot<C>) -> Self {
        slot.later().map_or_else(|| Self::Kept(slot.first()), Self::Later)
    }

    /// Changes the value, also while monitoring is off.
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
