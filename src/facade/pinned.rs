//! The series of a timer or a guard, from its start to its end.
//!
//! It is looked up at the start. So the end records into the same service, on whatever thread and in whatever scope.

use super::{early::Early, held::Held};
use crate::{
    dispatch::{
        switch::{self, GLOBAL},
        target::Gated,
    },
    storage::{anchor::Anchor, cell::Apply, dense::Slot, owner::Stored, resolved::Resolved, series::Series},
};

/// A series. One of the process's one service takes records only while that is on. Two words, so that it is passed in
/// registers.
#[derive(Debug)]
pub(super) enum Pinned<C: Stored> {
    /// A place of a dense table.
    Slot(&'static Slot<C>),
    /// What a call site cached.
    Site(&'static Resolved<C>),
    Series(&'static Series<C>),
    Counted(Held<Series<C>>),
    /// A series of a scope, or a handle of the `metrics` crate.
    Gated(Held<Gated<C>>),
    /// A handle that was taken while monitoring was off: its labels are unknown.
    Early(&'static Early),
}

impl<C: Stored> Pinned<C> {
    pub(super) fn record(&self, op: C::Op) {
        match self {
            Self::Early(early) => return early.record(),
            Self::Gated(held) => {
                let state = switch::load_for_record();
                return held.get().filter(|_| state != 0).into_iter().for_each(|series| series.record(state, op));
            }
            _ => {}
        }
        if switch::load_for_record() & GLOBAL == 0 {
            return;
        }
        match self {
            Self::Slot(slot) => slot.apply(op),
            Self::Site(series) => series.apply(op),
            Self::Series(series) => series.apply(op),
            Self::Counted(held) => held.get().into_iter().for_each(|series| series.apply(op)),
            Self::Gated(_) | Self::Early(_) => {}
        }
    }

    /// The value of the series now.
    pub(super) fn anchor(self) -> Option<Anchor<C>> {
        match self {
            Self::Slot(slot) => Some(Anchor::of_slot(slot)),
            Self::Site(series) => Anchor::of(series),
            Self::Series(series) => Anchor::of_kept(series),
            Self::Counted(series) => Anchor::of(&Resolved::Series(series.share()?)),
            Self::Gated(series) => Anchor::of(series.get()?.series()),
            Self::Early(early) => {
                early.record();
                None
            }
        }
    }
}
