//! Handles that `observe` takes: their value is read at each scrape.

use super::binding::Binding;
use crate::storage::{cell::Apply, owner::Stored, store::Store};

/// A handle that [`MonitoringService::observe`](crate::MonitoringService::observe) takes: a [`Gauge`](crate::Gauge) or a [`Counter`](crate::Counter).
#[diagnostic::on_unimplemented(
    message = "`observe` takes the handle of a gauge or counter, and this is `{Self}`",
    label = "of a family without labels: `FAMILY.handle()`; with labels: `FAMILY.with(..)`"
)]
pub trait Observable: Send + 'static {
    #[doc(hidden)]
    fn set_in(&self, store: &InStore<'_>, value: f64);
    #[doc(hidden)]
    fn name(&self) -> String;
}

/// The store of one service.
#[doc(hidden)]
#[derive(Debug)]
pub struct InStore<'a>(pub(crate) &'a Store);

impl<C: Stored> Binding<C> {
    /// Changes the series in the store of one service, whatever scope this is and whether monitoring is on.
    pub(super) fn record_in(&self, InStore(store): &InStore<'_>, op: C::Op) {
        match self {
            Self::Off => {}
            Self::Site(site) => store.resolve::<C>(site.key()).apply(op),
            Self::LazyFamily(family, index) => family.series_in(store, *index).apply(op),
            Self::Kept(series) => series.apply(op),
            Self::Early(early) => store.diagnostics.early(early.name()),
            Self::Counted(series) => {
                if let Some(series) = series.get() {
                    series.apply(op);
                }
            }
            Self::Gated(series) => {
                if let Some(series) = series.get() {
                    series.apply(op);
                }
            }
        }
    }

    /// The name of the metric, if the handle knows it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Site(site) => site.key().name().to_owned(),
            Self::LazyFamily(family, _) => family.def().name.to_owned(),
            Self::Early(early) => early.name().to_owned(),
            _ => "a series".to_owned(),
        }
    }
}
