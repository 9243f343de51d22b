//! The cap on series as a setting of the process's one service. One test in its own process.
#![cfg(feature = "prometheus")]

use crate::common;

use common::{log_of, sum, value};
use compozy_monitoring::{Config, MonitoringService, counter, gauge, metrics};

compozy_monitoring::families! {
    /// Free text.
    counter TEXT = "compozy_cap_text_total" { queue: str };
    /// A closed set, larger than the cap.
    counter CLOSED = "compozy_cap_closed_total" { kind: Kind { A = "a", B = "b", C = "c", D = "d" } };
}

fn series(text: &str, name: &str) -> usize {
    text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count()
}

#[test]
fn the_cap_is_a_setting_of_the_first_start() {
    own_process!();
    assert!(MonitoringService::new(Config::default().series_cap(0)).is_err());
    let service = MonitoringService::new(Config::default().enabled(true).series_cap(3)).expect("valid");
    let record = || {
        for i in 0..10 {
            let queue = format!("q{i}");
            TEXT.with(&queue).increment(1);
            counter!("compozy_cap_open_total", "queue" => queue.clone()).increment(1);
            metrics::counter!("foreign_total", "queue" => queue.clone()).increment(1);
            metrics::histogram!("foreign_size", "queue" => queue.clone()).record(1.0);
            gauge!("compozy_cap_level", "queue" => queue).set(1);
        }
        CLOSED.with(Kind::D).increment(1);
    };
    let log = log_of(record);
    let text = service.render();
    for name in ["compozy_cap_text_total", "compozy_cap_open_total", "foreign_total", "foreign_size_count"] {
        assert_eq!((series(&text, name), sum(&text, name)), (4, 10.0), "{name}");
        assert_eq!(value(&text, &format!("{name}{{queue=\"other\"}}")), 7.0);
    }
    assert_eq!(series(&text, "compozy_cap_level"), 3, "gauges over the cap are dropped");
    assert_eq!(series(&text, "compozy_cap_closed_total"), 4, "a closed set has its own bound");
    assert_eq!(value(&text, "compozy_monitoring_overflowed_series_total"), 35.0);
    assert_eq!(log.matches("Too many series").count(), 5, "one line a family\n{log}");
    assert!(log.contains("cap=3"), "{log}");

    // A later start goes on with the same storage.
    service.shutdown();
    drop(service);
    let log = log_of(|| {
        let again = MonitoringService::new(Config::default().enabled(true).series_cap(50)).expect("valid");
        record();
        assert_eq!(series(&again.render(), "compozy_cap_text_total"), 4);
    });
    assert!(log.contains("The cap on series is set by the first start of a process series_cap=50 stays=3"), "{log}");
}
