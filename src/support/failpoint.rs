//! Places where the unit tests make monitoring fail; nothing in any other build.

#[cfg(test)]
#[path = "../../tests/common/logs.rs"]
mod logs;

#[cfg(test)]
thread_local!(static ARMED: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) });

/// Panics when a test armed this place on this thread.
#[inline(always)]
pub(crate) fn point(_place: &'static str) {
    #[cfg(test)]
    if ARMED.get() == Some(_place) {
        panic!("fault at {_place}");
    }
}

/// Runs with one place armed.
#[cfg(test)]
pub(crate) fn armed<R>(place: &'static str, run: impl FnOnce() -> R) -> R {
    ARMED.set(Some(place));
    let result = run();
    ARMED.set(None);
    result
}

/// The places, for tests that try each.
#[cfg(test)]
pub(crate) const RECORDING: [&str; 5] = ["resolve", "family", "series", "table", "open"];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::MonitoringService;

    pub(crate) use super::logs::log_of;

    crate::families! {
        pub(super) list ALL;
        /// Text.
        pub(super) counter TEXT = "compozy_fault_text_total" { queue: str };
        /// Closed.
        pub(super) gauge CLOSED = "compozy_fault_closed" { kind: FaultKind { A = "a", B = "b" } };
        /// Plain.
        pub(super) histogram PLAIN = "compozy_fault_plain_seconds";
    }

    pub(super) fn value(text: &str, series: &str) -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    fn record() {
        let queue = String::from("q");
        counter!("compozy_fault_literal_total").increment(1);
        counter!("compozy_fault_computed_total", "queue" => queue.clone()).increment(1);
        gauge!("compozy_fault_level", "queue" => queue).set(1);
        histogram!("foreign_fault").record(1.0);
        metrics::counter!("foreign_fault_total").increment(1);
        describe_counter!("foreign_fault_total", "d");
        TEXT.with("q").increment(1);
        CLOSED.with(FaultKind::B).set(1);
        PLAIN.record(0.5);
    }

    #[test]
    fn a_fault_at_any_place_reaches_nobody_and_is_told_once_a_family() {
        for place in RECORDING {
            let service = MonitoringService::for_test();
            let mut failed = 0.0;
            let log = log_of(|| {
                for _ in 0..3 {
                    armed(place, || service.in_scope(record));
                    // Monitoring itself is rendered without the fault.
                    failed = value(&service.render(), "compozy_monitoring_errors_total").unwrap_or_default();
                }
            });
            assert!(failed >= 3.0, "{place}: {failed} errors");
            let text = service.render();
            assert_eq!(value(&text, "compozy_monitoring_health"), Some(0.0), "{place}");
            let mut metrics: Vec<&str> = log
                .lines()
                .filter_map(|line| line.split("Metric recording failed metric=").nth(1)?.split(' ').next())
                .collect();
            let all = metrics.len();
            assert!(all >= 1, "{place}: {log}");
            metrics.sort_unstable();
            metrics.dedup();
            assert_eq!(metrics.len(), all, "{place}: one line a family\n{log}");
            assert!(log.contains(&format!("fault at {place}")), "{log}");

            // Without the fault it recovers: what is recorded now is there.
            service.in_scope(record);
            let text = service.render();
            for series in [
                "compozy_fault_literal_total",
                r#"compozy_fault_computed_total{queue="q"}"#,
                r#"compozy_fault_text_total{queue="q"}"#,
                r#"compozy_fault_closed{kind="b"}"#,
                "compozy_fault_plain_seconds_count",
                "foreign_fault_total",
                "foreign_fault_count",
            ] {
                assert!(value(&text, series).is_some_and(|n| n >= 1.0), "{place}: {series} in\n{text}");
            }
        }
    }

    #[test]
    fn what_a_call_site_or_a_family_keeps_is_not_looked_up_again() {
        // The only test of this binary that starts the process's one service.
        let service = MonitoringService::new(crate::Config::default().enabled(true)).unwrap();
        let hit = || {
            counter!("compozy_fault_kept_total", "queue" => "literal").increment(1);
            TEXT.with("kept").increment(1);
            PLAIN.record(0.5);
        };
        hit();
        for place in RECORDING {
            armed(place, hit);
        }
        let text = service.render();
        let times = Some(1.0 + RECORDING.len() as f64);
        assert_eq!(value(&text, r#"compozy_fault_kept_total{queue="literal"}"#), times);
        assert_eq!(value(&text, r#"compozy_fault_text_total{queue="kept"}"#), times);
        assert_eq!(value(&text, "compozy_fault_plain_seconds_count"), times);
        assert_eq!(value(&text, "compozy_monitoring_errors_total"), Some(0.0));
    }

    #[test]
    fn a_fault_while_families_are_registered_or_rendered_reaches_nobody() {
        let service = MonitoringService::for_test();
        let log = log_of(|| {
            armed("family", || service.register(ALL));
            assert_eq!(armed("render", || service.render()), "");
            armed("series", || crate::build_info!(service));
        });
        assert!(log.contains("metric=\"render\"") && log.contains("compozy_build_info"), "{log}");
        service.register(ALL);
        let text = service.render();
        assert_eq!(value(&text, "compozy_fault_plain_seconds_count"), Some(0.0));
        assert_eq!(value(&text, "compozy_monitoring_errors_total"), Some(5.0));
    }

    #[cfg(feature = "http-poem")]
    #[tokio::test]
    async fn requests_go_on_whatever_fails() {
        use poem::{Endpoint, EndpointExt, Request, Route, get, handler, http::StatusCode};

        #[handler]
        fn hello() -> &'static str {
            "hello"
        }
        for place in RECORDING.into_iter().chain(["render"]) {
            let service = MonitoringService::for_test();
            let app = Route::new()
                .at("/hello", get(hello))
                .at("/metrics", service.metrics_endpoint())
                .with(service.http_middleware());
            let get = |path: &str| Request::builder().uri(path.parse().unwrap()).finish();
            ARMED.set(Some(place));
            for _ in 0..3 {
                let response = app.get_response(get("/hello")).await;
                assert_eq!(response.into_body().into_string().await.unwrap(), "hello", "{place}");
            }
            drop(app.call(get("/hello")));
            ARMED.set(None);
            assert_eq!(app.get_response(get("/hello")).await.status(), StatusCode::OK);
            let text = app.get_response(get("/metrics")).await.into_body().into_string().await.unwrap();
            let counted = value(&text, r#"compozy_http_requests_total{method="GET",path="/hello",status_code="200"}"#);
            let expected = if place == "render" { 4.0 } else { 1.0 };
            assert!(counted >= Some(expected), "{place}: {counted:?}");
            assert!(value(&text, "compozy_http_requests_in_flight").is_some_and(|n| n <= 1.0), "{place}: {text}");
            if place != "render" && place != "resolve" && place != "open" {
                assert!(value(&text, "compozy_monitoring_errors_total") >= Some(1.0), "{place}: {text}");
                assert_eq!(value(&text, "compozy_monitoring_health"), Some(0.0), "{place}");
            }
        }
    }
}
