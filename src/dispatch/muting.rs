//! Muting: while workflow code replays, its thread records nothing.

use std::sync::Arc;

use metrics::{Key, KeyName, Metadata, SharedString, Unit};

use super::{
    switch,
    target::{Gated, describe, target},
};
use crate::storage::{cell::Apply, counter::CounterCell, gauge::GaugeCell, histogram::HistogramCell, owner::Stored};

/// Mutes this thread as long as it lives: handles of ours, and those that the macros of `metrics` give out meanwhile.
pub(crate) struct Muted {
    before: bool,
    _recorder: metrics::LocalRecorderGuard<'static>,
}

/// Mutes this thread, or ends its muting. In either case, handles of the `metrics` crate that are taken meanwhile can be muted
/// later.
pub(crate) fn mute(muted: bool) -> Muted {
    Muted { before: switch::set_muted(muted), _recorder: metrics::set_default_local_recorder(&MutingRecorder) }
}

impl Drop for Muted {
    fn drop(&mut self) {
        let _ = switch::set_muted(self.before);
    }
}

/// The recorder of a thread that is or was muted. Its handles check the switch at each record.
#[derive(Debug)]
pub(super) struct MutingRecorder;

/// A series that takes no records of a muted thread.
struct Mutable<C: Stored>(Gated<C>);

impl<C: Stored> Apply<C> for Mutable<C> {
    fn apply(&self, op: C::Op) {
        let state = switch::load_for_record();
        if state != 0 {
            self.0.record(state, op);
        }
    }
}

impl MutingRecorder {
    fn register<C: Stored>(key: &Key) -> C::Raw {
        let target = target();
        let found = target.store().and_then(|store| {
            let find = || Gated::new(store.resolve::<C>(key), &target);
            store.diagnostics.catch_and_report(key.name(), find).flatten()
        });
        found.map_or_else(C::raw_noop, |series| C::raw_from(Arc::new(Mutable(series))))
    }
}

impl metrics::Recorder for MutingRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        describe(|recorder| recorder.describe_counter(name, unit, text));
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        describe(|recorder| recorder.describe_gauge(name, unit, text));
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        describe(|recorder| recorder.describe_histogram(name, unit, text));
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        Self::register::<CounterCell>(key)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        Self::register::<GaugeCell>(key)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        Self::register::<HistogramCell>(key)
    }
}
