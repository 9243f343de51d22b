//! The life of the process's one service: it starts, a second one does not, it stops, it starts again.
//! One test in its own process.
#![cfg(feature = "prometheus")]

use crate::common;

use common::value;
use compozy_monitoring::{Config, MonitoringService, counter, metrics};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux").count()
}

fn started() -> MonitoringService {
    MonitoringService::new(Config::default().enabled(true)).expect("valid")
}

compozy_monitoring::families! {
    /// Kept.
    counter KEPT = "compozy_kept_family_total" { queue: str };
}

fn bump() {
    counter!("compozy_life_total").increment(1);
}

#[test]
fn a_service_starts_once_stops_and_goes_on_with_the_same_storage() {
    own_process!();
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

    // Handles of every kind, kept over what follows.
    let queue = String::from("kept");
    let computed = counter!("compozy_kept_total", "queue" => queue.clone());
    let text = KEPT.with("kept");
    let summary = compozy_monitoring::histogram!("foreign_kept", "queue" => queue.clone());
    let bump_all = || {
        computed.increment(1);
        text.increment(1);
        summary.record(1.0);
    };
    bump_all();

    // A scope of this very service is no way around its end, nor is a handle that was made in one.
    let (scoped, raw) =
        first.in_scope(|| (counter!("compozy_kept_total", "queue" => queue.clone()), KEPT.with("kept")));
    let foreign: compozy_monitoring::Counter = metrics::counter!("foreign_kept_total").into();
    let bump_scoped = || {
        scoped.increment(100);
        raw.increment(100);
        foreign.increment(100);
    };

    // Clones share a life.
    let clone = first.clone();
    clone.shutdown();
    clone.shutdown();
    assert!(!first.is_enabled());
    assert_eq!(first.render(), "");
    bump();
    // A scope that was used once does not wake them, nor evaluates anybody's labels.
    MonitoringService::for_test().in_scope(bump);
    bump_all();
    bump_scoped();
    first.in_scope(|| {
        bump();
        bump_scoped();
        KEPT.with("kept").increment(100);
    });
    let evaluated = std::cell::Cell::new(false);
    let label = || {
        evaluated.set(true);
        "label"
    };
    counter!("compozy_life_total", "queue" => label()).increment(1);
    first.in_scope(|| counter!("compozy_life_total", "queue" => label()).increment(1));
    assert!(!evaluated.get(), "off is off");

    // The storage goes on where it was; what came while it was off was not counted.
    let again = started();
    assert!(again.is_enabled() && !first.is_enabled());
    bump();
    bump_all();
    let now = again.render();
    assert_eq!(value(&now, "compozy_life_total"), 3.0);
    assert_eq!(value(&now, "foreign_kept_total"), 0.0);
    for series in [
        r#"compozy_kept_total{queue="kept"}"#,
        r#"compozy_kept_family_total{queue="kept"}"#,
        r#"foreign_kept_count{queue="kept"}"#,
    ] {
        assert_eq!(value(&now, series), 2.0, "{series}");
    }

    // The last clone's drop ends it.
    drop(again);
    let last = started();
    assert!(last.is_enabled());
    bump();
    assert_eq!(value(&last.render(), "compozy_life_total"), 4.0);
    assert!(value(&last.render(), "compozy_monitoring_health") == 1.0);
}
