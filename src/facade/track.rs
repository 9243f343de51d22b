//! Guards that count what is there now.

use super::handles::{Gauge, Taken};

impl Gauge {
    /// Adds one to the gauge now, and takes it back when the guard is dropped.
    ///
    /// | | |
    /// |---|---|
    /// | dropped, also by `?`, a cancelled future or a panic, on any thread, in any scope | takes one from where it was added |
    /// | forgotten (`mem::forget`) | the gauge keeps the one |
    /// | taken while monitoring is off, or in a replay of workflow code | counts nothing, then or later |
    /// | dropped while monitoring is off, or in a replay | takes the one back: balanced after a new start |
    /// | the series was removed meanwhile | nothing is taken from the one that comes after it |
    ///
    /// Do not `set` a gauge that guards count in.
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

/// One that is counted as long as this lives: [`Gauge::track`].
#[derive(Debug)]
#[must_use = "the guard counts as long as it lives: give it a name, `_busy`"]
pub struct TrackGuard(Option<Taken>);

impl Drop for TrackGuard {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(taken) = self.0.take() {
            taken.give_back();
        }
    }
}
