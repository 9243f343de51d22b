//! The service that a worker's parts record into. They record while it is on, and do not keep it running.

use std::sync::Arc;

use super::ledger::Ledger;
use crate::{
    dispatch::{
        instance::{Instance, InstanceRef},
        scope::{Entered, enter},
    },
    storage::store::Store,
};

#[derive(Clone, Debug)]
pub(crate) struct ServiceRef {
    instance: InstanceRef,
    ledger: Arc<Ledger>,
}

impl ServiceRef {
    pub(crate) fn of(instance: &Arc<Instance>) -> Self {
        Self { instance: InstanceRef::of(instance), ledger: instance.store().extension() }
    }

    #[inline]
    pub(crate) fn records(&self) -> bool {
        self.instance.records()
    }

    #[inline]
    pub(crate) fn store(&self) -> &Arc<Store> {
        self.instance.store()
    }

    /// What is known of the runs in this store.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether the Temporal SDK's own families are kept.
    pub(crate) fn has_sdk_families(&self) -> bool {
        self.instance.has_sdk_families()
    }

    /// The scope of a service that is not the process's one.
    pub(crate) fn scope(&self) -> Option<Entered<'_>> {
        self.instance.own().map(|instance| enter(Some(instance)))
    }
}
