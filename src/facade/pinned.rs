//! A series that something keeps from its start to its end: a timer, a guard.
//!
//! It is found at the start. So the end goes where the start went, whatever thread and whatever scope it is in.

use super::{binding::Binding, early::Early, held::Held};
use crate::{
    dispatch::{
        switch::{self, GLOBAL},
        target::Gated,
    },
    storage::{anchor::Anchor, cell::Apply, dense::Slot, resolved::Resolved, series::Series, store::Stored},
};

/// A series, and while it is the process's one service's, only while that is on. Two words, which go from the start to the
/// end in registers.
#[derive(Debug)]
pub(super) enum Pinned<C: Stored> {
    /// A place of a dense table.
    Slot(&'static Slot<C>),
    /// What a call site cached.
    Site(&'static Resolved<C>),
    Series(&'static Series<C>),
    Counted(Held<Series<C>>),
    /// Also a series of a scope.
    Elsewhere(Held<Gated<C>>),
    /// A series whose labels nobody kept.
    Early(&'static Early),
}

impl<C: Stored> Binding<C> {
    /// The series, to keep; nothing where a record made now goes nowhere. Inlined as [`record`](Self::record) is.
    #[inline(always)]
    pub(super) fn pin(&self) -> Option<Pinned<C>> {
        match self {
            Self::Off => return None,
            Self::Early(early) => return early.is_missed().then_some(Pinned::Early(early)),
            _ => {}
        }
        let state = switch::load_for_record();
        if state == 0 {
            return None;
        }
        let is_global = state & GLOBAL != 0;
        match self {
            Self::Off | Self::Early(_) => None,
            Self::Site(site) => site.pin(state),
            Self::LazyFamily(family, index) => family.pin(state, *index),
            Self::Kept(series) => is_global.then_some(Pinned::Series(series)),
            Self::Counted(held) => is_global.then(|| Pinned::Counted(held.clone())),
            Self::Elsewhere(held) => is_open(held.get()?, state).then(|| Pinned::Elsewhere(held.clone())),
        }
    }
}

/// As [`Gated::is_open`], which may ask what could unwind for all that the compiler knows.
#[inline(never)]
extern "C" fn is_open<C: Stored>(series: &Gated<C>, state: u8) -> bool {
    series.is_open(state)
}

impl<C: Stored> Pinned<C> {
    pub(super) fn record(&self, op: C::Op) {
        match self {
            Self::Early(early) => return early.record(),
            Self::Elsewhere(held) => {
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
            Self::Elsewhere(_) | Self::Early(_) => {}
        }
    }

    /// The value of the series now.
    pub(super) fn anchor(self) -> Option<Anchor<C>> {
        match self {
            Self::Slot(slot) => Some(Anchor::of_slot(slot)),
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
