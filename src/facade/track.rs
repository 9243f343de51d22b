//! Guards that add one to a gauge as long as they live.

use super::handles::{Gauge, Taken};

impl Gauge {
    /// Adds one to the gauge now, and subtracts it again when the guard is dropped.
    ///
    /// | | |
    /// |---|---|
    /// | dropped, also by `?`, a cancelled future or a panic, on any thread, in any scope | subtracts one where it was added |
    /// | forgotten (`mem::forget`) | the gauge stays one too high |
    /// | made while monitoring is off, or in a replay of workflow code | counts nothing, then or later |
    /// | dropped while monitoring is off, or in a replay | subtracts the one that it added, so the gauge is right after a new start |
    /// | the series was removed in between | changes nothing in the series that replaced it |
    ///
    /// Do not use `set` on a gauge with guards.
    ///
    /// ```
    /// compozy_monitoring::families! {
    ///     /// Workers that have something to do.
    ///     pub gauge BUSY_WORKERS = "compozy_busy_workers";
    /// }
    /// let service = compozy_monitoring::MonitoringService::for_test();
    /// service.in_scope(|| {
    ///     let busy = BUSY_WORKERS.handle().track();
    /// #   #[cfg(feature = "prometheus")]
    ///     assert_eq!(service.snapshot().value("compozy_busy_workers", &[]), Some(1.0));
    ///     drop(busy);
    /// #   #[cfg(feature = "prometheus")]
    ///     assert_eq!(service.snapshot().value("compozy_busy_workers", &[]), Some(0.0));
    /// });
    /// ```
    #[inline(always)]
    pub fn track(&self) -> TrackGuard {
        TrackGuard(self.take_one())
    }
}

/// Counts one as long as it lives. From [`Gauge::track`].
#[derive(Debug)]
#[must_use = "the guard counts as long as it lives, and `let _ =` drops it at once: write `let _busy =`"]
pub struct TrackGuard(Option<Taken>);

impl Drop for TrackGuard {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(taken) = self.0.take() {
            taken.give_back();
        }
    }
}
