//! What the operating system knows of the process: the standard `process_*` families, read at each scrape.

use metrics_process::collector::{Metrics, collect};

use crate::storage::collector::{Collector, Reading};

#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn name(&self) -> &'static str {
        "process"
    }

    fn collect(&self, readings: &mut Vec<Reading>) {
        readings.extend(read());
    }
}

/// Names and help are those of Prometheus' guide for client libraries.
fn read() -> impl Iterator<Item = Reading> {
    let Metrics {
        cpu_seconds_total,
        open_fds,
        max_fds,
        virtual_memory_bytes,
        virtual_memory_max_bytes,
        resident_memory_bytes,
        start_time_seconds,
        threads,
    } = collect();
    let whole = |value: Option<u64>| value.map(|value| value as f64);
    let limit = |value: Option<u64>| value.map(limit);
    let all = [
        ("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", cpu_seconds_total),
        ("process_max_fds", "Maximum number of open file descriptors.", limit(max_fds)),
        ("process_open_fds", "Number of open file descriptors.", whole(open_fds)),
        ("process_resident_memory_bytes", "Resident memory size in bytes.", whole(resident_memory_bytes)),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            whole(start_time_seconds),
        ),
        ("process_threads", "Number of OS threads in the process.", whole(threads)),
        ("process_virtual_memory_bytes", "Virtual memory size in bytes.", whole(virtual_memory_bytes)),
        (
            "process_virtual_memory_max_bytes",
            "Maximum amount of virtual memory available in bytes.",
            limit(virtual_memory_max_bytes),
        ),
    ];
    let told = all.into_iter().filter_map(|(name, help, value)| Some((name, help, value?)));
    told.map(|(name, help, value)| Reading { name, help, is_counter: name.ends_with("_total"), value })
}

/// A limit as the collectors of other languages print it: where there is none, the highest number of 64 bits, so that the
/// share in use is small. `metrics-process` says 0 for it, and a process that runs has no limit of 0.
fn limit(value: u64) -> f64 {
    if value == 0 { u64::MAX as f64 } else { value as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_none_is_the_highest_number() {
        assert_eq!((limit(0), limit(1_024), limit(u64::MAX)), (18_446_744_073_709_551_615.0, 1_024.0, limit(0)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn all_are_told() {
        let readings: Vec<_> = read().collect();
        assert_eq!(readings.len(), 8);
        let value = |name: &str| readings.iter().find(|reading| reading.name == name).unwrap().value;
        assert!(value("process_resident_memory_bytes") > 1e5);
        assert!(value("process_threads") >= 1.0 && value("process_open_fds") >= 3.0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - 3_600.0..=now).contains(&value("process_start_time_seconds")));
    }
}
