//! Callers who invent everything they can: series stay at their bound, sums stay exact, memory stays flat.
//! One test in its own process, because it looks at the memory of the whole process. (Known faults 3, 4 and 6.)
//!
//! Needs `promtool` on the PATH: `scripts/test` installs it.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use crate::common;

use common::{figure, grouped, resident, samples, size, sum, value};
use compozy_monitoring::{Config, MonitoringService, counter, histogram, metrics};
use poem::{
    Endpoint, EndpointExt, Request, Route, handler,
    http::Method,
    web::{Path, Query},
};

compozy_monitoring::families! {
    /// Free text.
    counter TENANTS = "compozy_flood_tenants_total" { tenant: str };
    /// Free text beside a closed set.
    histogram WORK = "compozy_flood_work_seconds" { outcome: Outcome { Good = "good", Bad = "bad" }, tenant: str };
}

const CAP: usize = 2_000;

/// A handler that hands what the client sent to every kind of family.
#[handler]
fn work(Path(id): Path<String>, Query(query): Query<Vec<(String, String)>>) {
    let tenant = query.first().map_or("", |(_, tenant)| tenant.as_str());
    TENANTS.with(tenant).increment(1);
    WORK.with(Outcome::Good, tenant).record(0.01);
    counter!("compozy_flood_ids_total", "queue" => id.clone()).increment(1);
    metrics::counter!("compozy_flood_rejected_total", "user_id" => id.clone()).increment(1);
    // A foreign library.
    metrics::counter!("foreign_ids_total", "id" => id.clone()).increment(1);
    metrics::histogram!("foreign_wait_seconds", "id" => id.clone()).record(0.01);
    metrics::gauge!("foreign_level", "id" => id).set(1);
    histogram!("foreign_plain_seconds").record(0.01);
}

/// A request of a client that invents its method, its path and its values.
fn request(path: String, i: u32) -> Request {
    let method = Method::from_bytes(format!("M{i}").as_bytes()).expect("a token");
    Request::builder().method(method).uri(path.parse().expect("a path")).finish()
}

fn count(text: &str, name: &str) -> usize {
    samples(text).keys().filter(|series| series.starts_with(&format!("{name}{{"))).count()
}

#[tokio::test]
async fn invented_values_leave_series_bounded_sums_exact_and_memory_flat() {
    own_process!();
    let all = size(20_000, 100_000_u32);
    let service = MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let app = Route::new().at("/work/:id", work).with(service.http_middleware());
    let send = async |i| {
        let status = app.get_response(request(format!("/work/{i}?tenant=t%0A%22%5C{i}"), i)).await.status();
        assert_eq!(status.as_u16(), 200);
        if i % 10 == 0 {
            assert_eq!(app.get_response(request(format!("/scan/{i}.php"), i)).await.status().as_u16(), 404);
        }
    };

    // Until every cap is reached, memory grows.
    let warm_up = 3 * CAP as u32;
    for i in 0..warm_up {
        send(i).await;
    }
    let before = resident();
    for i in warm_up..all {
        send(i).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes");

    let text = service.render();
    let calls = f64::from(all);
    for part in ["requests_total", "request_duration_seconds_count"] {
        let name = format!("compozy_http_{part}");
        assert_eq!((count(&text, &name), sum(&text, &name)), (2, f64::from(all + all / 10)), "{name}");
    }
    for name in [
        "compozy_flood_tenants_total",
        "compozy_flood_work_seconds_count",
        "compozy_flood_ids_total",
        "foreign_ids_total",
        "foreign_wait_seconds_count",
    ] {
        assert_eq!((count(&text, name), sum(&text, name)), (CAP + 1, calls), "{name}");
    }
    assert_eq!(count(&text, "foreign_level"), CAP);
    assert_eq!(value(&text, "compozy_flood_rejected_total"), calls);
    assert_eq!(value(&text, "foreign_plain_seconds_count"), calls);
    // Three families of ours, two foreign ones and the gauge are at their cap.
    let over = calls - CAP as f64;
    assert_eq!(value(&text, "compozy_monitoring_overflowed_series_total"), 6.0 * over);
    assert_eq!(value(&text, "compozy_monitoring_rejected_labels_total"), calls);
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), 0.0);
    // The foreign families are described by nobody.
    assert_eq!(common::promtool(&text), "");
    figure("invented values", grouped(all.into()));
    figure("KiB grown once every cap was reached", grown >> 10);
    figure("series of each family", CAP + 1);
}
