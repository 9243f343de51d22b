//! A series that something keeps from its start to its end: a timer, a guard.
//!
//! It is found at the start. So the end goes where the start went, whatever thread and whatever scope it is in.

use std::sync::Arc;

use super::{early::Early, held::Held};
use crate::{
    dispatch::{
        switch::{self, GLOBAL},
        target::Gated,
    },
    storage::{
        anchor::Anchor,
        cell::Apply,
        dense::{DenseSeries, Slot},
        resolved::Resolved,
        series::Series,
        store::Stored,
    },
};

/// A series, and while it is the process's one service's, only while that is on.
#[derive(Debug)]
pub(super) enum Pinned<C: Stored> {
    /// A place of a dense table.
    Slot(&'static Arc<[Slot<C>]>, usize),
    /// What a call site cached.
    Site(&'static Resolved<C>),
    Series(&'static Series<C>),
    Counted(Held<Series<C>>),
    /// Also a series of a scope.
    Elsewhere(Held<Gated<C>>),
    /// A series whose labels nobody kept.
    Early(&'static Early),
}

impl<C: Stored> Pinned<C> {
    pub(super) fn record(&self, op: C::Op) {
        if let Self::Early(early) = self {
            return early.record();
        }
        let state = switch::load_for_record();
        if let Self::Elsewhere(series) = self {
            if state != 0
                && let Some(series) = series.get()
            {
                series.record(state, op);
            }
        } else if state & GLOBAL != 0 {
            match self {
                Self::Slot(slots, index) => {
                    if let Some(slot) = slots.get(*index) {
                        slot.apply(op);
                    }
                }
                Self::Site(series) => series.apply(op),
                Self::Series(series) => series.apply(op),
                Self::Counted(series) => {
                    if let Some(series) = series.get() {
                        series.apply(op);
                    }
                }
                Self::Elsewhere(_) | Self::Early(_) => {}
            }
        }
    }

    /// The value of the series now.
    pub(super) fn anchor(self) -> Option<Anchor<C>> {
        match self {
            Self::Slot(slots, index) => Anchor::of(&Resolved::Dense(DenseSeries::new(slots, index))),
            Self::Site(series) => Anchor::of(series),
            Self::Series(series) => Anchor::of_kept(series),
            Self::Counted(series) => Anchor::of(&Resolved::Series(series.share()?)),
            Self::Elsewhere(series) => Anchor::of(series.get()?.series()),
            Self::Early(early) => {
                early.record();
                None
            }
        }
    }
}
