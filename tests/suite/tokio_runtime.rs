//! The families of the Tokio runtime: of the one that renders the scrape, for the process's one service.
#![cfg(all(feature = "prometheus", feature = "http-poem", feature = "tokio-runtime"))]

use crate::common;

use std::{sync::Arc, time::Duration};

use common::{processes::until, promtool, value};
use compozy_monitoring::{Config, MonitoringService, metrics};
use poem::{Endpoint, Request};
use tokio::sync::Notify;

#[test]
fn they_are_what_the_runtime_is_doing_and_absent_outside_of_one() {
    own_process!();
    let service = MonitoringService::new(Config::default().enabled(true)).unwrap();
    let endpoint = service.metrics_endpoint();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    let scrape = || {
        let endpoint = endpoint.clone();
        runtime.block_on(async move {
            endpoint.call(Request::default()).await.unwrap().into_body().into_string().await.unwrap()
        })
    };
    let before = scrape();
    assert_eq!(value(&before, "tokio_workers"), 3.0);
    assert_eq!(promtool(&before), "");

    let stop = Arc::new(Notify::new());
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let stop = stop.clone();
            runtime.spawn(async move { stop.notified().await })
        })
        .collect();
    // One that keeps a worker busy.
    runtime.block_on(runtime.spawn(async { std::thread::sleep(Duration::from_millis(300)) })).unwrap();
    // A task that has ended is alive for a moment longer.
    let alive = |text: &str| value(text, "tokio_alive_tasks");
    until("the twenty are alive", || alive(&scrape()) == alive(&before) + 20.0);
    let during = scrape();
    let busy = |text: &str| value(text, "tokio_workers_busy_seconds_total");
    assert!(busy(&during) >= busy(&before) + 0.3, "{} {}", busy(&before), busy(&during));
    until("nothing waits", || value(&scrape(), "tokio_global_queue_depth") == 0.0);

    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    runtime.block_on(async {
        for task in tasks {
            let _ = task.await;
        }
    });
    until("the twenty are gone", || alive(&scrape()) == alive(&before));

    assert!(!service.render().contains("tokio_"), "no runtime renders this");
    assert!(!runtime.block_on(async { MonitoringService::for_test().render() }).contains("tokio_"));
    let snapshot = runtime.block_on(async { service.snapshot() });
    assert_eq!(snapshot.value("tokio_workers", &[]), None, "what is read at a scrape is not in it");
    metrics::gauge!("tokio_workers").set(77.0);
    let text = scrape();
    assert_eq!((value(&text, "tokio_workers"), text.matches("# TYPE tokio_workers gauge").count()), (77.0, 1));
    service.shutdown();
}
