//! The service that a worker's parts record into. They may outlive it, and do not keep it running.

use std::sync::Arc;

use super::ledger::Ledger;
use crate::{
    dispatch::{
        instance::Instance,
        scope::{Entered, enter},
        switch,
    },
    storage::store::Store,
};

#[derive(Clone, Debug)]
pub(crate) struct ServiceRef {
    store: Arc<Store>,
    /// The instance, unless it is the process's one service: after that has stopped, the parts go on with the next, which has the
    /// same store.
    own: Option<Arc<Instance>>,
    has_sdk_families: bool,
    ledger: Arc<Ledger>,
}

impl ServiceRef {
    pub(crate) fn of(instance: &Arc<Instance>) -> Self {
        Self {
            store: instance.store().clone(),
            own: (!instance.is_global()).then(|| instance.clone()),
            has_sdk_families: instance.has_sdk_families(),
            ledger: instance.store().extension(),
        }
    }

    /// Whether its service is on.
    #[inline]
    pub(crate) fn records(&self) -> bool {
        self.own.as_ref().map_or_else(switch::is_global_on, |instance| instance.is_on())
    }

    #[inline]
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What is known of the runs in this store.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether the Temporal SDK's own families are kept.
    pub(crate) fn has_sdk_families(&self) -> bool {
        self.has_sdk_families
    }

    /// The scope of a service that is not the process's one.
    pub(crate) fn scope(&self) -> Option<Entered<'_>> {
        self.own.as_ref().map(|instance| enter(Some(instance)))
    }
}
