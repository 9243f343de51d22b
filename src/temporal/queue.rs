//! The task queues of this process's workers: which workflow types are theirs, and which gauges end with them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::storage::{
    gauge::{GaugeCell, GaugeOp},
    resolved::Resolved,
};

/// The label value for a workflow type that no worker of the queue has registered. Anybody who may start a workflow chooses its
/// type, so an unknown one must not become a label value.
pub(crate) const UNREGISTERED: &str = "unregistered";

/// The task queues with an instrumented worker, by name.
#[derive(Debug, Default)]
pub(crate) struct Queues(RwLock<HashMap<String, Arc<Queue>>>);

impl Queues {
    /// A worker for this queue is about to be made.
    pub(crate) fn instrument(&self, name: &str) -> Arc<Queue> {
        let mut queues = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(name.to_owned()).or_default().clone();
        queue.worker_begins();
        queue
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Queue>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Instrumented workers that have not ended.
    workers: AtomicUsize,
    /// The workflow types that are known to be registered.
    types: RwLock<HashSet<String>>,
    /// The gauges that were set since a worker was made.
    gauges: Mutex<Vec<Arc<Resolved<GaugeCell>>>>,
}

impl Queue {
    /// A worker has this workflow type: it was registered before the worker was instrumented, or its code runs.
    pub(crate) fn runs(&self, workflow_type: &str) {
        if !self.has(workflow_type) {
            self.types.write().unwrap_or_else(PoisonError::into_inner).insert(workflow_type.to_owned());
        }
    }

    /// Whether a worker is known to have this workflow type.
    pub(crate) fn has(&self, workflow_type: &str) -> bool {
        self.types.read().unwrap_or_else(PoisonError::into_inner).contains(workflow_type)
    }

    /// Whether a worker of this queue runs: otherwise its gauges mean nothing.
    pub(crate) fn is_live(&self) -> bool {
        self.workers.load(Relaxed) > 0
    }

    /// A gauge of this queue was set for the first time.
    pub(crate) fn has_gauge(&self, gauge: Arc<Resolved<GaugeCell>>) {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).push(gauge);
    }

    /// A worker runs, or soon will.
    pub(crate) fn worker_begins(&self) {
        self.workers.fetch_add(1, Relaxed);
    }

    /// A worker has ended. With the last one, its slots, pollers and cached runs are gone.
    pub(crate) fn worker_ended(&self) {
        if self.workers.fetch_sub(1, Relaxed) == 1 {
            let gauges = std::mem::take(&mut *self.gauges.lock().unwrap_or_else(PoisonError::into_inner));
            gauges.iter().for_each(|gauge| gauge.apply(GaugeOp::Set(0.0)));
        }
    }
}
