//! What a handle is bound to.

use std::sync::Arc;

use super::{call_site::SiteCore, early::Early, held::Held, lazy_family::LazyFamilyCore, pinned::Pinned};
use crate::{
    dispatch::{
        switch::{self, GLOBAL},
        target::Gated,
    },
    storage::{cell::Apply, owner::Stored, series::Series},
};

/// What a handle is bound to, and so what a record through it does.
#[derive(Debug)]
pub enum Binding<C: Stored> {
    /// Nothing.
    Off,
    /// A call site with literal labels: asks at every record.
    Site(&'static SiteCore<C>),
    /// A series of a declared family of closed sets: asks at every record.
    LazyFamily(&'static LazyFamilyCore<C>, usize),
    /// A series of the process's one service.
    Kept(&'static Series<C>),
    /// Taken while monitoring was off: its label values are unknown.
    Early(&'static Early),
    /// A series of the process's one service that can be removed.
    Counted(Held<Series<C>>),
    /// Any other series, or a handle of the `metrics` crate: says itself when it takes records.
    Gated(Held<Gated<C>>),
}

impl<C: Stored> Clone for Binding<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Off => Self::Off,
            Self::Site(site) => Self::Site(site),
            Self::LazyFamily(family, index) => Self::LazyFamily(family, *index),
            Self::Kept(series) => Self::Kept(series),
            Self::Early(early) => Self::Early(early),
            Self::Counted(held) => Self::Counted(held.clone()),
            Self::Gated(held) => Self::Gated(held.clone()),
        }
    }
}

impl<C: Stored> Binding<C> {
    // Always inlined: where a call site makes the handle, the compiler knows the variant and keeps one arm. The variants of
    // the off state are matched first and by themselves: otherwise the compiler merges them with the others, and a disabled
    // record pays for a check that it does not need.
    #[inline(always)]
    pub(super) fn record(&self, op: C::Op) {
        match self {
            // The call site has read the switch already.
            Self::Off => return,
            Self::Early(early) => return early.record(),
            _ => {}
        }
        let state = switch::load_for_record();
        if state == 0 {
            return;
        }
        match self {
            Self::Off | Self::Early(_) => {}
            Self::Site(site) => site.record(state, op),
            Self::LazyFamily(family, index) => family.record(state, *index, op),
            Self::Kept(series) => {
                if state & GLOBAL != 0 {
                    series.apply(op);
                }
            }
            Self::Counted(held) => {
                if let Some(series) = held.get() {
                    record_counted(series, state, op);
                }
            }
            Self::Gated(held) => {
                if let Some(series) = held.get() {
                    record_gated(series, state, op);
                }
            }
        }
    }

    /// The series, for a timer or a guard to keep; nothing if a record made now would go nowhere. Inlined as
    /// [`record`](Self::record) is.
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
            Self::Gated(held) => is_open(held.get()?, state).then(|| Pinned::Gated(held.clone())),
        }
    }

    pub(super) fn into_raw(self) -> C::Raw {
        match self {
            Self::Off => C::raw_noop(),
            Self::Gated(mut held) => held.take().map_or_else(C::raw_noop, |series| match series.as_foreign() {
                Some(raw) => raw.clone(),
                None => C::raw_from(series),
            }),
            binding => C::raw_from(Arc::new(AsTarget(binding))),
        }
    }
}

/// As for [`Binding::Kept`]. Out of line, because only families that have removed a series give out such handles.
#[inline(never)]
extern "C" fn record_counted<C: Stored>(series: &Series<C>, state: u8, op: C::Op) {
    if state & GLOBAL != 0 {
        series.apply(op);
    }
}

/// Out of line, because the handle is a pointer to follow.
#[inline(never)]
extern "C" fn record_gated<C: Stored>(series: &Gated<C>, state: u8, op: C::Op) {
    series.record(state, op);
}

/// As [`Gated::is_open`]. For `extern "C"` see [`catch_panic`](crate::support::panics::catch_panic).
#[inline(never)]
extern "C" fn is_open<C: Stored>(series: &Gated<C>, state: u8) -> bool {
    series.is_open(state)
}

/// A binding behind a handle of the `metrics` crate.
struct AsTarget<C: Stored>(Binding<C>);

impl<C: Stored> Apply<C> for AsTarget<C> {
    fn apply(&self, op: C::Op) {
        self.0.record(op);
    }
}
