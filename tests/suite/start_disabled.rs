//! Switched off, or built without a recorder: nothing is installed, nothing is spawned, requests pass through.
//! One test in its own process, because it looks at what the whole process has.

use compozy_monitoring::{Config, MonitoringService, counter, metrics};

/// The threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux").count()
}

#[test]
fn nothing_is_installed_and_nothing_is_spawned() {
    own_process!();
    let before = threads();
    // Without a recorder, an enabled configuration only brings a warning.
    let config = Config::default().enabled(!cfg!(feature = "prometheus"));
    let service = MonitoringService::new(config).expect("valid");
    assert!(!service.is_enabled());
    assert_eq!(threads(), before);
    counter!("compozy_nothing_total").increment(1);
    assert_eq!(service.render(), "");

    #[cfg(feature = "http-poem")]
    http(&service);

    metrics::set_global_recorder(metrics::NoopRecorder).expect("nobody has installed a global recorder");
}

#[cfg(feature = "http-poem")]
fn http(service: &MonitoringService) {
    use poem::{Endpoint, EndpointExt, Request, Route, get, handler, http::Method};

    #[handler]
    fn hello() -> &'static str {
        "hello"
    }
    let app = Route::new()
        .at("/hello", get(hello))
        .at(service.path(), service.metrics_endpoint())
        .with(service.http_middleware().skip("/health"));
    let call = |method: Method, path: &'static str| {
        let request = Request::builder().method(method).uri(path.parse().expect("a path")).finish();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let response = app.get_response(request).await;
            (response.status().as_u16(), response.into_body().into_string().await.expect("text"))
        })
    };
    assert_eq!(call(Method::GET, "/hello"), (200, "hello".to_owned()));
    let (status, reason) = call(Method::GET, "/metrics");
    let expected =
        if cfg!(feature = "prometheus") { "monitoring is disabled" } else { "without the feature `prometheus`" };
    assert_eq!(status, 503);
    assert!(reason.contains(expected), "{reason}");
    assert_eq!(call(Method::POST, "/metrics").0, 405);
}
