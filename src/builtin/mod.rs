//! The crate's own families, and what it reads at each scrape.

pub(crate) mod catalogue;
#[cfg(feature = "process")]
mod process;
mod self_metrics;
#[cfg(feature = "tokio-runtime")]
mod tokio_runtime;

use std::sync::Arc;

use crate::storage::store::Store;

/// A store with the crate's own families in it.
pub(crate) fn new_store(series_cap: usize) -> Arc<Store> {
    let store = Store::new(series_cap);
    catalogue::declare(&store);
    store.add_collector(Arc::new(self_metrics::SelfMetrics { store: Arc::downgrade(&store) }));
    store
}

/// The same for the process's one service, which also reads what the process has once.
pub(crate) fn new_global_store(series_cap: usize) -> Arc<Store> {
    let store = new_store(series_cap);
    #[cfg(feature = "process")]
    store.add_collector(Arc::new(process::ProcessCollector));
    #[cfg(feature = "tokio-runtime")]
    store.add_collector(Arc::new(tokio_runtime::TokioCollector));
    store
}
