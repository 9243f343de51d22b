//! What monitoring says about itself, and the uptime: known only at a scrape.

use std::sync::Weak;

use super::catalogue::{EARLY_HANDLES, ERRORS, HEALTH, OVERFLOWED_SERIES, Plain, REJECTED_LABELS, UPTIME};
use crate::{
    facade::handles::Counter,
    schema::names::own_name,
    storage::{
        collector::{Collector, Reading},
        counter::CounterOp,
        gauge::GaugeOp,
        store::Store,
    },
};

#[derive(Debug)]
pub(super) struct SelfMetrics {
    /// Weak, because the store owns its collectors.
    pub(super) store: Weak<Store>,
}

impl Collector for SelfMetrics {
    fn name(&self) -> &'static str {
        own_name!("monitoring")
    }

    fn collect(&self, _: &mut Vec<Reading>) {
        let Some(store) = self.store.upgrade() else { return };
        // First, because it changes the counts that are read below.
        let overflowed = store.report_losses();
        let set = |family: &'static Plain<Counter>, value| {
            family.lazy.series_in(&store, &[]).apply(CounterOp::Absolute(value));
        };
        let diagnostics = &store.diagnostics;
        set(&UPTIME, store.age().as_secs());
        set(&ERRORS, diagnostics.errors());
        set(&REJECTED_LABELS, diagnostics.rejected_labels());
        set(&EARLY_HANDLES, diagnostics.early_records());
        set(&OVERFLOWED_SERIES, overflowed);
        let health = GaugeOp::Set(if diagnostics.is_healthy() { 1.0 } else { 0.0 });
        HEALTH.lazy.series_in(&store, &[]).apply(health);
    }
}
