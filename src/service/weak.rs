//! A service, held weakly: for what ends with the service and must not keep it running.

use std::{
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use super::MonitoringService;
use crate::{config::Endpoint, dispatch::instance::Instance};

/// A service that was on when this was made.
pub(crate) struct WeakService {
    endpoint: Arc<Endpoint>,
    instance: Weak<Instance>,
}

impl MonitoringService {
    /// A weak handle; nothing while the service is off.
    pub(crate) fn downgrade(&self) -> Option<WeakService> {
        let instance = self.instance_if_on()?;
        Some(WeakService { endpoint: self.endpoint.clone(), instance: Arc::downgrade(instance) })
    }
}

impl WeakService {
    pub(crate) fn path(&self) -> &str {
        &self.endpoint.path
    }

    /// The service, or one that is off for the same reason.
    pub(crate) fn upgrade(&self) -> MonitoringService {
        let instance = self.instance.upgrade().ok_or(super::STOPPED);
        MonitoringService { endpoint: self.endpoint.clone(), instance }
    }

    /// Whether the service is off; if not, the task is woken when it stops.
    pub(crate) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.instance.upgrade().map_or(Poll::Ready(()), |instance| instance.poll_stopped(cx))
    }
}
