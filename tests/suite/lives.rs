//! What many short lives leave behind: of services, of scopes, of futures in them. Every byte of this thread is counted.
#![cfg(feature = "prometheus")]

use crate::common;

use common::{figure, grouped, left_behind, size, value};
use compozy_monitoring::{MonitoringService, counter, histogram, metrics};

compozy_monitoring::families! {
    pub list ALL;
    /// Closed.
    pub counter CLOSED = "compozy_lives_closed_total" { kind: LifeKind { A = "a", B = "b" } };
    /// Text.
    pub histogram TEXT = "compozy_lives_text_seconds" { queue: str };
}

fn record(i: u64) {
    CLOSED.with(LifeKind::B).increment(1);
    TEXT.with(if i.is_multiple_of(2) { "even" } else { "odd" }).record(0.1);
    counter!("compozy_lives_literal_total", "queue" => "literal").increment(1);
    counter!("compozy_lives_computed_total", "queue" => (i % 10).to_string()).increment(1);
    histogram!("foreign_lives").record(1.0);
    metrics::counter!("foreign_lives_total", "queue" => (i % 10).to_string()).increment(1);
}

/// A whole life of a service: what it says is right, and nothing of it stays.
fn live(i: u64) {
    let service = MonitoringService::for_test();
    service.register(ALL);
    service.in_scope(|| (i..i + 10).for_each(record));
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_lives_closed_total{kind="b"}"#), 10.0);
    #[cfg(feature = "http-poem")]
    {
        use poem::EndpointExt;
        let app = poem::Route::new().at("/metrics", service.metrics_endpoint()).with(service.http_middleware());
        drop(app);
    }
    if i.is_multiple_of(2) {
        service.shutdown();
    }
}

#[test]
fn services_that_start_and_stop_leave_nothing() {
    own_process!();
    // Call sites and this thread keep what they make the first time.
    (0..2).for_each(live);
    let lives = size(1_000, 10_000);
    let left = left_behind(|| (0..lives).for_each(live));
    assert_eq!(left, 0, "bytes after {lives} services");
    figure("services started and stopped", grouped(lives));
    figure("bytes left", left);
}

#[test]
fn short_lived_scopes_leave_nothing() {
    own_process!();
    use futures_util::FutureExt;
    let (outer, inner) = (MonitoringService::for_test(), MonitoringService::for_test());
    let scope = |i: u64| {
        outer.in_scope(|| {
            record(i);
            inner.in_scope(|| record(i));
            // A future that ends, and one that is dropped before it does.
            let _ = inner.scope(async { CLOSED.with(LifeKind::A).increment(1) }).now_or_never();
            let _ = inner.scope(std::future::pending::<()>()).now_or_never();
        });
    };
    (0..20).for_each(scope);
    let scopes = size(50_000, 1_000_000);
    let left = left_behind(|| (0..scopes / 4).for_each(scope));
    assert_eq!(left, 0, "bytes after {scopes} scopes");
    let times = scopes as f64 / 4.0 + 20.0;
    assert_eq!(value(&inner.render(), r#"compozy_lives_closed_total{kind="a"}"#), times);
    assert_eq!(value(&outer.render(), r#"compozy_lives_closed_total{kind="b"}"#), times);
    figure("short-lived scopes", grouped(scopes));
    figure("bytes left", left);
}
