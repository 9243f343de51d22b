//! What Tokio tells of the runtime in which a scrape is rendered.

use tokio::runtime::Handle;

use crate::storage::collector::{Collector, Reading};

/// Reads the runtime that the scrape runs in; nothing outside of one.
#[derive(Debug)]
pub(super) struct TokioCollector;

impl Collector for TokioCollector {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn collect(&self, readings: &mut Vec<Reading>) {
        let Ok(handle) = Handle::try_current() else { return };
        let metrics = handle.metrics();
        let gauge = |name, help, value: usize| Reading { name, help, is_counter: false, value: value as f64 };
        readings.extend([
            gauge("tokio_alive_tasks", "Tasks that were spawned and have not ended.", metrics.num_alive_tasks()),
            gauge(
                "tokio_global_queue_depth",
                "Tasks that wait in the queue that all workers share.",
                metrics.global_queue_depth(),
            ),
            gauge("tokio_workers", "Worker threads of the runtime.", metrics.num_workers()),
        ]);
        // Tokio has this count only where there are atomics of 64 bits.
        #[cfg(target_has_atomic = "64")]
        readings.push(Reading {
            name: "tokio_workers_busy_seconds_total",
            help: "Time that all workers together have spent running tasks, in seconds.",
            is_counter: true,
            value: (0..metrics.num_workers())
                .map(|worker| metrics.worker_total_busy_duration(worker).as_secs_f64())
                .sum(),
        });
    }
}
