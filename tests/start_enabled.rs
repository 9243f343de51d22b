//! The life of the process's one service: it starts, a second one does not, it stops, it starts again.
//! One test in its own process.
#![cfg(feature = "prometheus")]

mod common;

use common::value;
use compozy_monitoring::{Config, MonitoringService, counter, metrics};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux").count()
}

fn started() -> MonitoringService {
    MonitoringService::new(Config::default().enabled(true)).expect("valid")
}

fn bump() {
    counter!("compozy_life_total").increment(1);
}

#[test]
fn a_service_starts_once_stops_and_goes_on_with_the_same_storage() {
    bump();
    let threads_before = threads();
    let first = started();
    assert!(first.is_enabled());
    bump();
    metrics::counter!("foreign.library-total", "b" => "2", "a" => "1").increment(5);

    // A second one is inert, and the first one does not notice.
    let second = started();
    assert!(!second.is_enabled());
    assert_eq!(second.render(), "");
    second.shutdown();
    drop(second);
    bump();
    assert_eq!(value(&first.render(), "compozy_life_total"), 2.0);
    assert_eq!(value(&first.render(), r#"foreign_library_total{a="1",b="2"}"#), 5.0);
    assert_eq!(threads(), threads_before, "nothing runs beside the application");

    // Clones share a life.
    let clone = first.clone();
    clone.shutdown();
    clone.shutdown();
    assert!(!first.is_enabled());
    assert_eq!(first.render(), "");
    bump();

    // The storage goes on where it was; what came while it was off was not counted.
    let again = started();
    assert!(again.is_enabled() && !first.is_enabled());
    bump();
    assert_eq!(value(&again.render(), "compozy_life_total"), 3.0);

    // The last clone's drop ends it.
    drop(again);
    let last = started();
    assert!(last.is_enabled());
    bump();
    assert_eq!(value(&last.render(), "compozy_life_total"), 4.0);
    assert!(value(&last.render(), "compozy_monitoring_health") == 1.0);
}
