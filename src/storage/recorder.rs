//! A store as the recorder of the `metrics` crate.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

use super::{counter::CounterCell, gauge::GaugeCell, histogram::HistogramCell, owner::Stored, store::Store};

#[derive(Clone, Debug)]
pub(crate) struct StoreRecorder(pub(crate) Arc<Store>);

impl StoreRecorder {
    /// A handle on the series of a key. After a fault it is one that does nothing.
    fn register<C: Stored>(&self, key: &Key) -> C::Raw {
        let find = || self.0.resolve::<C>(key).into_raw();
        self.0.diagnostics.catch_and_report(key.name(), find).unwrap_or_else(C::raw_noop)
    }
}

impl metrics::Recorder for StoreRecorder {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(&name, &text);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(&name, &text);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(&name, &text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register::<CounterCell>(key)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register::<GaugeCell>(key)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register::<HistogramCell>(key)
    }
}
