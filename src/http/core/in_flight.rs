//! The gauge of requests in flight, and a unit of it that outlives its request.

use std::sync::{Arc, OnceLock};

use crate::{
    builtin::catalogue::HTTP_IN_FLIGHT,
    schema::names::own_name,
    storage::{
        gauge::{GaugeCell, GaugeOp},
        resolved::Resolved,
        store::Store,
    },
};

/// The gauge, looked up at the first request.
#[derive(Debug, Default)]
pub(crate) struct InFlightGauge(OnceLock<Arc<Resolved<GaugeCell>>>);

impl InFlightGauge {
    /// Counts a request in. Says whether it was counted: only then it has to be counted out.
    #[inline]
    pub(crate) fn enter(&self, store: &Store) -> bool {
        let gauge = self.0.get().or_else(|| self.find(store));
        gauge.inspect(|gauge| gauge.apply(GaugeOp::Add(1.0))).is_some()
    }

    /// Counts a request out. Only for one that was counted in.
    #[inline]
    pub(crate) fn leave(&self) {
        if let Some(gauge) = self.0.get() {
            gauge.apply(GaugeOp::Add(-1.0));
        }
    }

    /// Takes over a request that was counted in: it is counted out when the unit is dropped.
    pub(crate) fn unit(&self) -> Option<InFlight> {
        self.0.get().cloned().map(InFlight)
    }

    #[cold]
    fn find(&self, store: &Store) -> Option<&Arc<Resolved<GaugeCell>>> {
        let found = store
            .diagnostics
            .catch_and_report(own_name!("http_requests_in_flight"), || HTTP_IN_FLIGHT.lazy.series_in(store, &[]));
        found.map(|found| self.0.get_or_init(|| Arc::new(found)))
    }
}

/// One request in the gauge, until this is dropped with the body of its response.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Resolved<GaugeCell>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.apply(GaugeOp::Add(-1.0));
    }
}
