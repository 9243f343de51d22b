//! A service as what ends with it sees it: it does not keep the service running.

use std::{
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use super::MonitoringService;
use crate::{config::Endpoint, dispatch::instance::Instance};

/// A service that was on.
pub(crate) struct WeakService {
    endpoint: Arc<Endpoint>,
    running: Weak<Instance>,
}

impl MonitoringService {
    /// The same, weakly; nothing while the service is off.
    pub(crate) fn downgrade(&self) -> Option<WeakService> {
        let running = self.running.as_ref().ok().filter(|running| running.is_on())?;
        Some(WeakService { endpoint: self.endpoint.clone(), running: Arc::downgrade(running) })
    }
}

impl WeakService {
    pub(crate) fn path(&self) -> &str {
        &self.endpoint.path
    }

    /// The service, or one that is off for the same reason.
    pub(crate) fn upgrade(&self) -> MonitoringService {
        let running = self.running.upgrade().ok_or(super::STOPPED);
        MonitoringService { endpoint: self.endpoint.clone(), running }
    }

    /// Whether the service is off; if not, the task is woken when it stops.
    pub(crate) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.running.upgrade().map_or(Poll::Ready(()), |running| running.poll_stopped(cx))
    }
}
