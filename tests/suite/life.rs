//! The life of the process's one service under load and without a runtime. One test in its own process.
#![cfg(feature = "prometheus")]

use crate::common;

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use common::value;
use compozy_monitoring::{Config, MonitoringService, counter};

fn started() -> MonitoringService {
    let service = MonitoringService::new(Config::default().enabled(true)).expect("valid");
    assert!(service.is_enabled());
    service
}

compozy_monitoring::families! {
    /// Counted while it is on.
    counter LIFE = "compozy_life_family_total" { queue: str };
}

/// Sockets that this process listens on.
fn listeners() -> usize {
    let sockets: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .expect("Linux")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    // Column 3 is the state, 0A is LISTEN; column 9 the inode.
    let listening = table.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        (columns.get(3) == Some(&"0A")).then(|| columns.get(9).map(|inode| format!("socket:[{inode}]")))?
    });
    listening.filter(|socket| sockets.contains(socket)).count()
}

#[test]
fn a_service_lives_and_dies_under_load_without_blocking_anybody() {
    own_process!();
    // No runtime anywhere: it starts, records and stops.
    let service = started();
    LIFE.with("q").increment(1);
    assert_eq!(listeners(), 0, "the application's server is the only one");
    service.shutdown();

    // Starting and stopping while others record: nothing hangs, nothing panics, and a total that was read never falls.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    LIFE.with("q").increment(1);
                    counter!("compozy_life_literal_total").increment(1);
                    counter!("compozy_life_computed_total", "queue" => String::from("q")).increment(1);
                }
            });
        }
        let mut last = 0.0;
        let begin = Instant::now();
        for _ in 0..200 {
            let service = started();
            let other = service.clone();
            // Some records have to fall into this life.
            while !service.render().contains("compozy_life_computed_total") {
                std::thread::yield_now();
            }
            let now = value(&service.render(), r#"compozy_life_family_total{queue="q"}"#);
            assert!(now >= last, "{now} after {last}");
            last = now;
            std::thread::scope(|both| {
                both.spawn(|| service.shutdown());
                both.spawn(|| other.shutdown());
            });
            assert!(!service.is_enabled() && !other.is_enabled());
        }
        stop.store(true, Relaxed);
        assert!(begin.elapsed() < Duration::from_secs(60));
    });

    // While it is off, nothing is counted.
    let service = started();
    let before = value(&service.render(), r#"compozy_life_family_total{queue="q"}"#);
    service.shutdown();
    LIFE.with("q").increment(1_000);
    // Dropped without a shutdown, inside a current-thread runtime: the next one can start at once.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        drop(started());
        let service = started();
        assert_eq!(value(&service.render(), r#"compozy_life_family_total{queue="q"}"#), before);
        LIFE.with("q").increment(1);
        assert_eq!(value(&service.render(), r#"compozy_life_family_total{queue="q"}"#), before + 1.0);
    });
    assert!(!MonitoringService::new(None).expect("valid").is_enabled());

    #[cfg(feature = "http-poem")]
    runtime.block_on(http());
}

/// The middleware and the endpoint hold a clone each: the service lives as long as the application that has them.
#[cfg(feature = "http-poem")]
async fn http() {
    use poem::{Endpoint, EndpointExt, Request, Route, get, handler};

    #[handler]
    async fn hello() -> &'static str {
        tokio::task::yield_now().await;
        "hello"
    }
    let service = started();
    let path = r#"compozy_http_requests_total{method="GET",path="/hello",status_code="200"}"#;
    let app = |service: &MonitoringService| {
        Route::new().at("/hello", get(hello)).at("/metrics", service.metrics_endpoint()).with(service.http_middleware())
    };
    let request = |path: &'static str| Request::builder().uri(path.parse().expect("a path")).finish();
    let first = app(&service);
    drop(service);
    assert_eq!(first.get_response(request("/hello")).await.status().as_u16(), 200);
    let text = first.get_response(request("/metrics")).await.into_body().into_string().await.expect("text");
    assert_eq!(value(&text, path), 1.0);

    // Shut down while a request is on its way: it ends well, is not counted, and in-flight is balanced.
    drop(first);
    let service = started();
    let second = app(&service);
    let mut waiting = Box::pin(second.get_response(request("/hello")));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 1.0);
    service.shutdown();
    service.shutdown();
    assert_eq!(waiting.await.status().as_u16(), 200);
    assert_eq!(second.get_response(request("/hello")).await.status().as_u16(), 200);
    assert_eq!(second.get_response(request("/metrics")).await.status().as_u16(), 503);

    let service = started();
    let third = app(&service);
    assert_eq!(third.get_response(request("/hello")).await.status().as_u16(), 200);
    let text = service.render();
    assert_eq!(value(&text, path), 2.0, "counters continue; what came while it was off is not in them");
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0);
    assert_eq!(listeners(), 0);
}
