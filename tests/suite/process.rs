//! The families of the process: at each scrape of its one service, and only there.
#![cfg(all(feature = "prometheus", feature = "process", target_os = "linux"))]

use crate::common;

use std::{fs::File, process::Command};

use common::value;
use compozy_monitoring::{Config, MonitoringService, metrics};

fn families(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn they_are_as_the_system_says_sorted_among_the_others_and_those_of_the_process_s_service_only() {
    own_process!();
    let service = MonitoringService::new(Config::default().enabled(true)).unwrap();
    let (before, file) = (service.render(), File::open("/proc/self/status").unwrap());
    let text = service.render();
    assert!(families(&text).is_sorted(), "{text}");
    assert_eq!(families(&text).iter().filter(|name| name.starts_with("process_")).count(), 8);
    assert!(text.contains("# TYPE process_cpu_seconds_total counter\n"));
    // Read at each scrape.
    assert_eq!(value(&text, "process_open_fds"), value(&before, "process_open_fds") + 1.0);
    drop(file);
    assert_eq!(value(&service.render(), "process_open_fds"), value(&before, "process_open_fds"));
    let pid = std::process::id().to_string();
    for (option, family) in [("--nofile", "process_max_fds"), ("--as", "process_virtual_memory_max_bytes")] {
        let arguments = ["--pid", &pid, option, "--output", "SOFT", "--noheadings", "--raw"];
        let said = String::from_utf8(Command::new("prlimit").args(arguments).output().unwrap().stdout).unwrap();
        // As Go's collector prints it.
        let limit: f64 = said.trim().parse().unwrap_or(1.8446744073709552e+19);
        assert!(said.trim() == "unlimited" || limit < 1e19, "{said}");
        assert_eq!(value(&text, family), limit, "{family}");
    }
    let resident = value(&text, "process_resident_memory_bytes");
    assert!(resident > 1e6 && resident < value(&text, "process_virtual_memory_bytes"), "{text}");
    assert_eq!(common::promtool(&text), "");

    assert!(!MonitoringService::for_test().render().contains("process_"), "a process is not a test's");

    // Who records one of the names keeps it, and nothing is there twice.
    metrics::gauge!("process_threads").set(77.0);
    let text = service.render();
    assert_eq!(value(&text, "process_threads"), 77.0);
    // A snapshot has what was recorded, whatever it is called, and nothing that is read at a scrape.
    let snapshot = service.snapshot();
    let of = |name| snapshot.value(name, &[]);
    assert_eq!(
        (of("process_threads"), of("process_open_fds"), of("compozy_uptime_seconds_total")),
        (Some(77.0), None, None)
    );
    assert_eq!(families(&text).iter().filter(|name| **name == "process_threads").count(), 1);
    service.shutdown();
}
