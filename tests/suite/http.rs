//! What a request leaves behind, by outcome, and what the endpoint answers; each test has a service of its own.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use crate::common;

use std::{
    collections::BTreeSet,
    io::Read,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{samples, sum, value};
use compozy_monitoring::{Config, MonitoringService, RenderError, counter};
use poem::{
    Body, Endpoint, EndpointExt, Error, IntoResponse, Request, Response, Route, RouteDomain,
    endpoint::{BoxEndpoint, make_sync},
    error::NotFoundError,
    get, handler,
    http::{Method, StatusCode, header},
    middleware::{
        AddData, CatchPanic, Compression, CookieJarManager, Cors, Csrf, ForceHttps, NormalizePath, PropagateHeader,
        RequestId, SensitiveHeader, SetHeader, SizeLimit, TowerLayerCompatExt, Tracing, TrailingSlash,
    },
    post,
    web::Path,
};

#[handler]
fn ok() -> &'static str {
    "ok"
}

#[handler]
fn id(Path(id): Path<String>) -> String {
    id
}

#[handler]
fn not_found_by_the_handler() -> StatusCode {
    StatusCode::NOT_FOUND
}

#[handler]
fn fails() -> poem::Result<&'static str> {
    Err(Error::from_string("broken", StatusCode::BAD_GATEWAY))
}

#[handler]
fn response_as_error() -> poem::Result<&'static str> {
    Err(Error::from_response(StatusCode::IM_A_TEAPOT.into_response()))
}

#[handler]
fn panics() -> &'static str {
    panic!("on purpose")
}

#[handler]
async fn never() -> &'static str {
    std::future::pending().await
}

/// Three chunks, and no length.
fn stream() -> Body {
    let chunks = ["a", "b", "c"].map(|chunk| Ok::<_, std::io::Error>(chunk.to_owned()));
    Body::from_bytes_stream(futures_util::stream::iter(chunks))
}

#[handler]
fn streams() -> Response {
    Response::builder().body(stream())
}

#[handler]
fn breaks() -> Response {
    let chunks = [Ok("a".to_owned()), Err(std::io::Error::other("broken"))];
    Response::builder().body(Body::from_bytes_stream(futures_util::stream::iter(chunks)))
}

fn routes() -> Route {
    let nested = Route::new().at("/", get(ok)).at("/users/:id", get(id).post(ok)).at("/files/*rest", get(ok));
    Route::new()
        .at("/ok", get(ok))
        .at("/users/:id", get(id))
        .at("/files/*path", get(ok))
        .at("/zone/:n<\\d+>", get(ok))
        .at("/handler-404", get(not_found_by_the_handler))
        .at("/error", get(fails))
        .at("/teapot", get(response_as_error))
        .at("/panic", get(panics))
        .at("/never", get(never))
        .at("/stream", get(streams))
        .at("/breaks", get(breaks))
        .at("/post", post(ok))
        .at("/slash/", get(ok))
        .nest("/api", nested)
        .at("/x-encoded/a%20b", get(ok))
        .nest("/deep", Route::new().nest("/er", Route::new().at("/:x", get(ok))))
        .nest_no_strip("/kept", Route::new().at("/kept/:id", get(ok)))
        .nest("/caught", Route::new().at("/panic", get(panics)).with(CatchPanic::new()))
}

fn request(method: Method, uri: &str) -> Request {
    Request::builder().method(method).uri(uri.parse().expect("a URI")).finish()
}

/// The counted requests as (method, path, status), and how often.
fn counted(text: &str) -> Vec<(String, f64)> {
    let prefix = "compozy_http_requests_total";
    samples(text).into_iter().filter_map(|(series, n)| Some((series.strip_prefix(prefix)?.to_owned(), n))).collect()
}

#[tokio::test]
async fn every_answered_request_is_counted_once_with_its_template_and_status() {
    let rows: &[(&str, &str, &str, &str, u16)] = &[
        // method, URI, label method, label path, status
        ("GET", "/ok", "GET", "/ok", 200),
        ("GET", "/ok?secret=1", "GET", "/ok", 200),
        ("HEAD", "/ok", "HEAD", "/ok", 200),
        ("POST", "/ok", "POST", "/ok", 405),
        ("GET", "/post", "GET", "/post", 405),
        ("GET", "/users/7", "GET", "/users/:id", 200),
        ("GET", "/users/%2e%2e%2fetc", "GET", "/users/:id", 200),
        ("GET", "/users/%22%5c%0a", "GET", "/users/:id", 200),
        ("GET", "/users/", "GET", "unmatched", 404),
        ("GET", "/files/a/b/c", "GET", "/files/*path", 200),
        ("GET", "/zone/12", "GET", "/zone/:n<\\\\d+>", 200),
        ("GET", "/zone/x", "GET", "unmatched", 404),
        ("GET", "/slash/", "GET", "/slash/", 200),
        ("GET", "/slash", "GET", "unmatched", 404),
        ("GET", "/handler-404", "GET", "/handler-404", 404),
        ("GET", "/error", "GET", "/error", 502),
        ("GET", "/teapot", "GET", "/teapot", 418),
        ("GET", "/api", "GET", "/api/", 200),
        ("GET", "/api/users/7", "GET", "/api/users/:id", 200),
        ("POST", "/api/users/7", "POST", "/api/users/:id", 200),
        ("DELETE", "/api/users/7", "DELETE", "/api/users/:id", 405),
        ("GET", "/api/files/x/y", "GET", "/api/files/*rest", 200),
        ("GET", "/api/nothing", "GET", "/api", 404),
        ("GET", "/deep/er/1", "GET", "/deep/er/:x", 200),
        ("GET", "/kept/7", "GET", "/kept/:id", 200),
        ("GET", "/kept/kept/7", "GET", "/kept", 404),
        ("GET", "/caught/panic", "GET", "/caught", 500),
        ("GET", "/", "GET", "unmatched", 404),
        ("GET", "/x-encoded/a%20b", "GET", "/x-encoded/a%20b", 200),
        ("GET", "/x-encoded/a%2520b", "GET", "unmatched", 404),
        ("CONNECT", "/ok", "CONNECT", "/ok", 405),
        ("GET", "/stream", "GET", "/stream", 200),
    ];
    for (method, uri, label, path, status) in rows.iter().chain(&common::NO_ROUTE) {
        let service = MonitoringService::for_test();
        let app = routes().with(service.http_middleware());
        let response = app.get_response(request(method.parse().expect("a method"), uri)).await;
        assert_eq!(response.status().as_u16(), *status, "{method} {uri}");
        drop(response);
        let text = service.render();
        let expected = format!(r#"{{method="{label}",path="{path}",status_code="{status}"}}"#);
        assert_eq!(counted(&text), [(expected, 1.0)], "{method} {uri}");
        assert_eq!(sum(&text, "compozy_http_request_duration_seconds_count"), 1.0, "{method} {uri}");
        assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0, "{method} {uri}");
    }
}

#[tokio::test]
async fn a_nest_at_the_root_is_no_part_of_the_template() {
    let service = MonitoringService::for_test();
    let app = Route::new().nest("/", Route::new().at("/a/:id", get(id))).with(service.http_middleware());
    for path in ["/a/7", "/b"] {
        app.get_response(request(Method::GET, path)).await;
    }
    let all = counted(&service.render());
    let found = r#"{method="GET",path="/a/:id",status_code="200"}"#.to_owned();
    assert!(all.contains(&(found, 1.0)), "{all:?}");
    assert!(all.iter().all(|(labels, _)| !labels.contains("/b")), "{all:?}");
}

#[tokio::test]
async fn a_domain_router_keeps_the_template_of_the_route_behind_it() {
    let service = MonitoringService::for_test();
    let app = RouteDomain::new()
        .at("example.com", Route::new().at("/users/:id", get(id)))
        .at("*", Route::new().at("/:other", get(ok)))
        .with(service.http_middleware());
    for (host, path) in [("example.com", "/users/7"), ("elsewhere.org", "/x")] {
        let request = Request::builder().uri(path.parse().expect("a path")).header(header::HOST, host).finish();
        assert_eq!(app.get_response(request).await.status(), StatusCode::OK);
    }
    let text = service.render();
    for path in ["/users/:id", "/:other"] {
        assert_eq!(
            value(&text, &format!(r#"compozy_http_requests_total{{method="GET",path="{path}",status_code="200"}}"#)),
            1.0
        );
    }
}

#[tokio::test]
async fn the_in_flight_gauge_is_up_while_a_handler_runs_and_while_a_body_streams() {
    let service = MonitoringService::for_test();
    let in_flight = || value(&service.render(), "compozy_http_requests_in_flight");
    let app = Arc::new(routes().with(service.http_middleware()));

    // Read to the end, half read, never read, failing.
    for (path, read) in [("/stream", 4), ("/stream", 1), ("/stream", 0), ("/breaks", 9)] {
        let mut response = app.get_response(request(Method::GET, path)).await;
        assert_eq!(in_flight(), 1.0, "the head is there, the body is not");
        {
            let mut body = Box::pin(response.take_body().into_bytes_stream());
            for _ in 0..read {
                use futures_util::StreamExt;
                if !matches!(body.next().await, Some(Ok(_))) {
                    assert_eq!(in_flight(), 0.0, "the body ended or failed");
                    break;
                }
            }
        }
        assert_eq!(in_flight(), 0.0, "{path}, {read} reads");
    }
    // A body with a length ends at the head.
    let response = app.get_response(request(Method::GET, "/ok")).await;
    assert_eq!(in_flight(), 0.0);
    drop(response);

    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { app.get_response(request(Method::GET, "/never")).await.status() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(in_flight(), 3.0);
    for task in waiting {
        task.abort();
        let _ = task.await;
    }
    assert_eq!(in_flight(), 0.0);
    let text = service.render();
    assert_eq!(common::sum(&text, "compozy_http_request_duration_seconds_count"), 8.0);
}

#[tokio::test]
async fn a_panic_is_counted_as_500_and_goes_on_untouched() {
    use futures_util::FutureExt;
    let service = MonitoringService::for_test();
    let app = routes().with(service.http_middleware());
    let caught = std::panic::AssertUnwindSafe(app.get_response(request(Method::GET, "/panic"))).catch_unwind().await;
    let Err(payload) = caught else { panic!("the panic comes through") };
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
    let text = service.render();
    assert_eq!(counted(&text).iter().map(|(_, n)| n).sum::<f64>(), 1.0);
    assert!(counted(&text)[0].0.contains(r#"status_code="500""#), "{text}");
    assert_eq!(sum(&text, "compozy_http_request_duration_seconds_count"), 1.0);
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0);

    // Once the template has been seen, a panic is counted under it.
    #[handler]
    fn panics_on_odd(Path(n): Path<u32>) -> String {
        assert!(n % 2 == 0, "odd");
        n.to_string()
    }
    let service = MonitoringService::for_test();
    let app = Route::new().at("/numbers/:n", get(panics_on_odd)).with(service.http_middleware());
    for n in 0..4 {
        let call = app.get_response(request(Method::GET, &format!("/numbers/{n}?x")));
        let _ = std::panic::AssertUnwindSafe(call).catch_unwind().await;
    }
    let row = |status: u16| (format!(r#"{{method="GET",path="/numbers/:n",status_code="{status}"}}"#), 2.0);
    assert_eq!(counted(&service.render()), [row(200), row(500)]);

    // A middleware outside that catches it answers the client; it is counted once all the same.
    let service = MonitoringService::for_test();
    let app = routes().with(service.http_middleware()).with(CatchPanic::new());
    assert_eq!(app.get_response(request(Method::GET, "/panic")).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(counted(&service.render()).len(), 1);
}

#[tokio::test]
async fn a_panic_before_the_first_poll_is_counted_too() {
    struct Panics;
    impl Endpoint for Panics {
        type Output = Response;
        #[allow(clippy::manual_async_fn)]
        fn call(&self, _: Request) -> impl Future<Output = poem::Result<Response>> + Send {
            panic!("before the future");
            #[allow(unreachable_code)]
            async {
                Ok(Response::default())
            }
        }
    }
    use futures_util::FutureExt;
    let service = MonitoringService::for_test();
    let app = Panics.with(service.http_middleware());
    let run = std::panic::AssertUnwindSafe(async { app.call(request(Method::GET, "/x")).await }).catch_unwind();
    assert!(run.await.is_err());
    let text = service.render();
    assert_eq!(counted(&text).len(), 1);
    assert!(counted(&text)[0].0.contains(r#"status_code="500""#), "{text}");
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0);
}

#[tokio::test]
async fn a_dropped_request_is_counted_as_499() {
    let service = MonitoringService::for_test();
    let app = routes().with(service.http_middleware());
    // Before the first poll, and while it waits.
    drop(app.call(request(Method::GET, "/never")));
    let waits = tokio::time::timeout(Duration::from_millis(5), app.get_response(request(Method::GET, "/never")));
    assert!(waits.await.is_err());
    let text = service.render();
    let all = counted(&text);
    assert!(all.iter().all(|(labels, _)| labels.contains(r#"status_code="499""#)), "{all:?}");
    assert_eq!(all.iter().map(|(_, n)| n).sum::<f64>(), 2.0);
    assert_eq!(sum(&text, "compozy_http_request_duration_seconds_count"), 2.0);
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0);
}

#[tokio::test]
async fn what_is_nested_at_the_root_without_a_router_has_the_mount_as_its_path() {
    let service = MonitoringService::for_test();
    let files = Route::new().nest("/", poem::endpoint::make_sync(|_| "file"));
    let app = files.with(service.http_middleware());
    for path in ["/index.html", "/", "/a/b"] {
        app.get_response(request(Method::GET, path)).await;
    }
    assert_eq!(counted(&service.render()), [(r#"{method="GET",path="/",status_code="200"}"#.to_owned(), 3.0)]);
    let service = MonitoringService::for_test();
    let app = Route::new().nest("/", Route::new().at("/a", get(ok))).with(service.http_middleware());
    app.get_response(request(Method::GET, "/nothing")).await;
    assert_eq!(counted(&service.render()), [(r#"{method="GET",path="unmatched",status_code="404"}"#.to_owned(), 1.0)]);
}

#[tokio::test]
async fn a_skipped_route_is_skipped_when_it_is_dropped_too() {
    let service = MonitoringService::for_test();
    let app =
        Route::new().at("/never", get(never)).at("/:page", get(id)).with(service.http_middleware().skip("/never"));
    app.get_response(request(Method::GET, "/page")).await;
    drop(app.call(request(Method::GET, "/never")));
    assert_eq!(counted(&service.render()), [(r#"{method="GET",path="/:page",status_code="200"}"#.to_owned(), 1.0)]);
    assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 0.0);
}

#[tokio::test]
async fn a_skipped_template_is_not_counted_and_others_are() {
    let service = MonitoringService::for_test();
    let app = routes().with(service.http_middleware().skip("/ok").skip("/api/users/:id"));
    for path in ["/ok", "/ok", "/api/users/7", "/users/7"] {
        app.get_response(request(Method::GET, path)).await;
    }
    let text = service.render();
    assert_eq!(counted(&text).len(), 1);
    assert_eq!(value(&text, r#"compozy_http_requests_total{method="GET",path="/users/:id",status_code="200"}"#), 1.0);
    assert_eq!(sum(&text, "compozy_http_request_duration_seconds_count"), 1.0);
}

#[tokio::test]
async fn the_scope_of_a_test_service_reaches_the_handler() {
    #[handler]
    async fn counts() -> &'static str {
        counter!("compozy_handled_total").increment(1);
        tokio::task::yield_now().await;
        counter!("compozy_handled_total").increment(10);
        "counted"
    }
    let services = [MonitoringService::for_test(), MonitoringService::for_test()];
    for service in &services {
        let app = Route::new().at("/", get(counts)).with(service.http_middleware());
        assert_eq!(app.get_response(request(Method::GET, "/")).await.status(), StatusCode::OK);
    }
    for service in &services {
        assert_eq!(value(&service.render(), "compozy_handled_total"), 11.0);
    }
}

#[tokio::test]
async fn a_finished_request_is_out_of_flight_even_while_its_future_is_held() {
    let service = MonitoringService::for_test();
    let app = routes().with(service.http_middleware());
    let mut held = Box::pin(app.call(request(Method::GET, "/ok")));
    assert!((&mut held).await.is_ok());
    assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 0.0);
    drop(held);
    assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 0.0);
}

#[tokio::test]
async fn a_shut_down_service_keeps_its_handlers_records_from_everybody() {
    #[handler]
    fn counts() -> &'static str {
        counter!("compozy_leaked_total").increment(1);
        "counted"
    }
    let (ended, outer) = (MonitoringService::for_test(), MonitoringService::for_test());
    let app = Route::new().at("/", get(counts)).with(ended.http_middleware());
    ended.shutdown();
    outer.scope(app.get_response(request(Method::GET, "/"))).await;
    assert!(!outer.render().contains("compozy_leaked_total"));
}

#[test]
fn the_steady_state_of_the_middleware_allocates_nothing() {
    use futures_util::FutureExt;
    let service = MonitoringService::for_test();
    let (bare, watched) = (routes(), routes().with(service.http_middleware()));
    // As a server has it: a slice of a shared buffer. The first clone of a URI that owns its text would allocate.
    let uri: poem::http::Uri = "/users/7".parse().expect("a path");
    let _shared = uri.clone();
    let request = || Request::builder().uri(uri.clone()).finish();
    let cost = |run: &dyn Fn(Request)| {
        run(request());
        let rounds: [Vec<Request>; 5] = std::array::from_fn(|_| (0..100).map(|_| request()).collect());
        let rounds = std::cell::RefCell::new(rounds.into_iter());
        common::steady_allocations(|| rounds.borrow_mut().next().into_iter().flatten().for_each(run))
    };
    let bare = cost(&|req| drop(bare.call(req).now_or_never()));
    let watched = cost(&|req| drop(watched.call(req).now_or_never()));
    assert!(bare >= 100, "poem allocates, and the counter sees it");
    assert_eq!(watched, bare);
    assert_eq!(sum(&service.render(), "compozy_http_requests_total"), 501.0);
}

#[tokio::test]
async fn a_long_template_is_kept_like_any_other() {
    let template = format!("/{}/:id", "long".repeat(60));
    let service = MonitoringService::for_test();
    let app = Route::new().at(&template, get(id)).with(service.http_middleware());
    for _ in 0..3 {
        let path = template.replace(":id", "7");
        assert_eq!(app.get_response(request(Method::GET, &path)).await.status(), StatusCode::OK);
    }
    let all = counted(&service.render());
    assert_eq!(all, [(format!(r#"{{method="GET",path="{}",status_code="200"}}"#, &template[..128]), 3.0)]);
}

#[tokio::test]
async fn more_templates_than_are_found_by_their_address_are_each_counted_under_their_own() {
    let service = MonitoringService::for_test();
    let templates: Vec<String> = (100..300).map(|n| format!("/t{n}")).collect();
    let routes = templates.iter().fold(Route::new(), |routes, template| routes.at(template, get(ok)));
    let app = routes.with(service.http_middleware());
    for _ in 0..3 {
        for template in &templates {
            app.get_response(request(Method::GET, template)).await;
        }
    }
    let row = |path: &String| (format!(r#"{{method="GET",path="{path}",status_code="200"}}"#), 3.0);
    assert_eq!(counted(&service.render()), templates.iter().map(row).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_request_that_middleware_answers_is_counted_under_the_route_it_would_have_taken() {
    let service = MonitoringService::for_test();
    let app = routes()
        .around(|ep, req| async move {
            // Authorization that answers before the router, and a rebuilt response behind it.
            if req.header("authorization").is_none() {
                return Ok(StatusCode::UNAUTHORIZED.into_response());
            }
            Ok(ep.call(req).await?.into_body().into_response())
        })
        .with(service.http_middleware());
    let known = routes().with(service.http_middleware());
    let ask = |path: &str, authorized: bool| {
        let request = Request::builder().uri(path.parse().expect("a path"));
        let request = if authorized { request.header("authorization", "x") } else { request };
        app.get_response(request.finish())
    };
    ask("/users/7", false).await;
    known.get_response(request(Method::GET, "/users/7")).await;
    assert!(counted(&service.render()).iter().any(|(labels, _)| labels.contains("unknown")));
    // Each middleware knows what it has seen itself.
    ask("/api/users/7", true).await;
    let all = counted(&service.render());
    assert!(all.iter().all(|(labels, _)| !labels.contains("/7")), "{all:?}");
    assert_eq!(all.iter().map(|(_, n)| n).sum::<f64>(), 3.0);
}

#[tokio::test]
async fn invented_methods_and_scanned_paths_do_not_make_series() {
    let service = MonitoringService::for_test();
    let app = routes().with(service.http_middleware());
    for i in 0..2_000 {
        let method: Method = format!("M{i}").parse().expect("a token");
        app.get_response(request(method, &format!("/scan/{i}.php?{i}"))).await;
        app.get_response(request(Method::GET, &format!("/users/{i}"))).await;
    }
    let text = service.render();
    let all: BTreeSet<_> = counted(&text).into_iter().map(|(labels, n)| (labels, n as u64)).collect();
    let row = |labels: &str| (labels.to_owned(), 2_000);
    assert_eq!(
        all,
        BTreeSet::from([
            row(r#"{method="OTHER",path="unmatched",status_code="404"}"#),
            row(r#"{method="GET",path="/users/:id",status_code="200"}"#),
        ])
    );
}

/// The endpoint, at a path and behind `get`.
fn endpoint(service: &MonitoringService) -> impl Endpoint {
    Route::new().at("/metrics", service.metrics_endpoint()).at("/behind-get", get(service.metrics_endpoint()))
}

#[tokio::test]
async fn the_endpoint_answers_get_and_head_and_nothing_else() {
    let service = MonitoringService::for_test();
    let app = endpoint(&service);
    for path in ["/metrics", "/behind-get"] {
        let got = app.get_response(request(Method::GET, path)).await;
        assert_eq!(got.status(), StatusCode::OK);
        assert_eq!(got.content_type(), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!(got.header("cache-control"), Some("no-store"));
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
        let text = got.into_body().into_string().await.expect("text");
        assert!(text.contains("compozy_monitoring_health 1\n"));

        let head = app.get_response(request(Method::HEAD, path)).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.content_type(), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!(head.header("content-length"), Some(text.len().to_string().as_str()));
        assert!(head.into_body().into_vec().await.expect("a body").is_empty());

        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            let refused = app.get_response(request(method, path)).await;
            assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert!(path != "/metrics" || refused.header("allow") == Some("GET, HEAD"));
        }
    }
    service.shutdown();
    let off = app.get_response(request(Method::GET, "/metrics")).await;
    assert_eq!(off.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(off.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(off.into_body().into_string().await.expect("text"), "503: monitoring was shut down\n");
}

#[tokio::test]
async fn the_endpoint_compresses_when_it_is_asked_to() {
    let service = MonitoringService::for_test();
    let app = endpoint(&service);
    for (accept, zipped) in [("gzip", true), ("gzip;q=0", false), ("br", false), ("deflate, gzip;q=0.3", true)] {
        let request = Request::builder().uri_str("/metrics").header(header::ACCEPT_ENCODING, accept).finish();
        let response = app.get_response(request).await;
        assert_eq!(response.header("content-encoding").is_some(), zipped, "{accept}");
        assert_eq!(response.header("vary"), Some("Accept, Accept-Encoding"));
        let bytes = response.into_body().into_vec().await.expect("a body");
        let mut text = String::new();
        if zipped {
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("gzip");
        } else {
            text = String::from_utf8(bytes).expect("UTF-8");
        }
        assert!(text.starts_with("# HELP compozy_http_requests_in_flight"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_that_arrives_while_one_is_rendered_does_not_share_it() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for i in 0..500 {
            compozy_monitoring::histogram!("compozy_large_seconds", "queue" => i.to_string()).record(0.5);
        }
    });
    let app = Route::new().at("/metrics", service.metrics_endpoint());
    for round in 1..=30 {
        let mut first = Box::pin(app.get_response(request(Method::GET, "/metrics")));
        let begun = futures_util::poll!(&mut first).is_pending();
        // By now the first one is being rendered, and has probably passed this counter.
        tokio::time::sleep(Duration::from_millis(3)).await;
        service.in_scope(|| counter!("compozy_arrived_total").increment(1));
        let second = app.get_response(request(Method::GET, "/metrics"));
        let second = if begun { tokio::join!(first, second).1 } else { second.await };
        let text = second.into_body().into_string().await.expect("text");
        assert_eq!(value(&text, "compozy_arrived_total"), f64::from(round));
    }
}

/// Known fault 14: with one thread for everything, others go on while a large registry is rendered.
#[tokio::test(flavor = "current_thread")]
async fn a_render_leaves_the_runtime_to_others() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for i in 0..2_000 {
            compozy_monitoring::histogram!("compozy_large_seconds", "queue" => i.to_string()).record(0.5);
        }
    });
    let app = Route::new().at("/metrics", service.metrics_endpoint());
    for accept in ["identity", "gzip"] {
        let scrape = Request::builder().uri_str("/metrics").header(header::ACCEPT_ENCODING, accept).finish();
        let mut scrape = Box::pin(app.get_response(scrape));
        let mut others = 0_u64;
        let response = loop {
            if let std::task::Poll::Ready(response) = futures_util::poll!(&mut scrape) {
                break response;
            }
            tokio::task::yield_now().await;
            others += 1;
        };
        assert_eq!(response.status(), StatusCode::OK);
        assert!(others > 0, "the render ran on the runtime's own thread");
    }
}

#[test]
fn scrapes_that_wait_share_a_render_and_each_sees_what_came_before_it() {
    let service = MonitoringService::for_test();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let app = Arc::new(Route::new().at("/metrics", service.metrics_endpoint()));
    let too_old = Arc::new(Mutex::new(Vec::new()));
    runtime.block_on(async {
        let mut scrapes = Vec::new();
        for i in 1..=200_u64 {
            service.in_scope(|| counter!("compozy_before_the_scrape_total").increment(1));
            let (app, too_old) = (app.clone(), too_old.clone());
            let scrape = async move {
                let text = app.get_response(request(Method::GET, "/metrics")).await.into_body().into_string().await;
                let seen = value(&text.expect("text"), "compozy_before_the_scrape_total");
                if seen < i as f64 {
                    too_old.lock().expect("no panic").push((i, seen));
                }
            };
            let scrape = tokio::spawn(scrape);
            // Some leave before they are served; the others must not wait for them.
            if i % 7 == 0 {
                scrape.abort();
            }
            scrapes.push(scrape);
        }
        for scrape in scrapes {
            let ended = tokio::time::timeout(Duration::from_secs(20), scrape).await.expect("no scrape hangs");
            assert!(ended.as_ref().map_or_else(tokio::task::JoinError::is_cancelled, |()| true));
        }
    });
    assert_eq!(*too_old.lock().expect("no panic"), []);
}

/// Routes whose answers differ by the last part of the path: found, the handler's own 404, an error, a panic, and one that
/// never comes.
async fn by_name(request: Request) -> poem::Result<Response> {
    match request.uri().path().rsplit('/').next() {
        Some("missing") => Ok(StatusCode::NOT_FOUND.into_response()),
        Some("lost") => Err(NotFoundError.into()),
        Some("broken") => Err(Error::from_string("broken", StatusCode::BAD_GATEWAY)),
        Some("panic") => std::panic::panic_any("on purpose"),
        Some("never") => std::future::pending().await,
        _ => Ok("found".into_response()),
    }
}

fn by_name_routes() -> Route {
    let api = Route::new().at("/users/:id", poem::endpoint::make(by_name));
    Route::new()
        .at("/users/:id", poem::endpoint::make(by_name))
        .at("/exact", poem::endpoint::make(by_name))
        .nest("/api", api)
        .nest("/st", poem::endpoint::make(by_name))
}

/// An application around these routes.
type Layers = fn(Route) -> BoxEndpoint<'static>;

fn boxed<E: Endpoint + 'static>(endpoint: E) -> BoxEndpoint<'static>
where
    E::Output: IntoResponse,
{
    endpoint.map_to_response().boxed()
}

/// A page of the application's own, as `catch_all_error` makes it.
async fn page(error: Error) -> (StatusCode, &'static str) {
    (error.status(), "a page")
}

/// Asks once, and says under which path and status that was counted; nothing for a request that was not.
async fn counted_as(app: &impl Endpoint, service: &MonitoringService, path: &str) -> Option<(String, String)> {
    use futures_util::FutureExt;
    let before = samples(&service.render());
    let request = Request::builder().uri(path.parse().expect("a path"));
    let request = request
        .header(header::ACCEPT_ENCODING, "gzip")
        .header(header::ORIGIN, "http://example.org")
        .header(header::HOST, "example.org")
        .finish();
    let asked = std::panic::AssertUnwindSafe(app.get_response(request)).catch_unwind();
    // Long enough for all others, however busy the machine is.
    let patience = if path.ends_with("never") { Duration::from_millis(300) } else { Duration::from_secs(60) };
    let _ = tokio::time::timeout(patience, asked).await;
    let text = service.render();
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0);
    let mut grown = samples(&text).into_iter().filter(|(series, n)| {
        series.starts_with("compozy_http_requests_total{") && before.get(series).copied().unwrap_or(0.0) < *n
    });
    let label = |series: &str, name: &str| {
        let (_, rest) = series.split_once(&format!("{name}=\"")).expect("a label");
        rest.split('"').next().expect("quoted").to_owned()
    };
    let one = grown.next().map(|(series, _)| (label(&series, "path"), label(&series, "status_code")));
    assert_eq!(grown.next(), None, "counted once");
    one
}

/// What does not touch the answer, or makes it of the one that it got, leaves the template where it is.
#[tokio::test]
async fn middleware_that_keeps_the_answer_keeps_its_template() {
    let layers: &[(&str, Layers)] = &[
        ("none", |app| boxed(app)),
        ("AddData", |app| boxed(app.with(AddData::new(1)))),
        ("CatchPanic", |app| boxed(app.with(CatchPanic::new()))),
        ("Compression", |app| boxed(app.with(Compression::new()))),
        ("CookieJarManager", |app| boxed(app.with(CookieJarManager::new()))),
        ("Cors", |app| boxed(app.with(Cors::new()))),
        ("Csrf", |app| boxed(app.with(Csrf::new()))),
        ("NormalizePath", |app| boxed(app.with(NormalizePath::new(TrailingSlash::Trim)))),
        ("PropagateHeader", |app| boxed(app.with(PropagateHeader::new().header("accept-encoding")))),
        ("RequestId", |app| boxed(app.with(RequestId::new()))),
        ("SensitiveHeader", |app| boxed(app.with(SensitiveHeader::new().header("authorization")))),
        ("SetHeader", |app| boxed(app.with(SetHeader::new().appending("x-a", "b")))),
        ("SizeLimit", |app| {
            boxed(app.with(SizeLimit::new(9)).before(|mut request: Request| async move {
                request.headers_mut().insert(header::CONTENT_LENGTH, header::HeaderValue::from_static("0"));
                Ok(request)
            }))
        }),
        ("Tracing", |app| boxed(app.with(Tracing))),
        ("tower's Timeout", |app| boxed(app.with(tower::timeout::TimeoutLayer::new(Duration::from_secs(9)).compat()))),
        ("tower's ConcurrencyLimit", |app| boxed(app.with(tower::limit::ConcurrencyLimitLayer::new(9).compat()))),
        ("tower's RateLimit", |app| {
            boxed(app.with(tower::limit::RateLimitLayer::new(99, Duration::from_secs(9)).compat()))
        }),
        ("tower's LoadShed", |app| boxed(app.with(tower::load_shed::LoadShedLayer::new().compat()))),
        ("before", |app| boxed(app.before(|request| async move { Ok(request) }))),
        ("after", |app| boxed(app.after(|answer| async move { answer }))),
        ("around", |app| boxed(app.around(|app, request| async move { app.call(request).await }))),
        ("and_then", |app| boxed(app.and_then(|answer| async move { Ok(answer) }))),
        ("map", |app| boxed(app.map(|answer: Response| async move { answer.with_header("x-a", "b") }))),
        ("inspect_all_err", |app| boxed(app.inspect_all_err(|_| {}))),
        ("catch_error of another kind", |app| {
            boxed(app.catch_error(|_: poem::error::MethodNotAllowedError| async { "another" }))
        }),
    ];
    // Each asked first, so that nothing has been seen before.
    let rows = [
        ("/users/7", "/users/:id", "200"),
        ("/users/missing", "/users/:id", "404"),
        ("/users/lost", "/users/:id", "404"),
        ("/users/broken", "/users/:id", "502"),
        ("/api/users/7", "/api/users/:id", "200"),
        ("/api/users/missing", "/api/users/:id", "404"),
        ("/api/nothing", "/api", "404"),
        ("/st/a.css", "/st", "200"),
        ("/st/missing", "/st", "404"),
        ("/nothing", "unmatched", "404"),
        ("/exact/7", "unmatched", "404"),
    ];
    for (name, app) in layers {
        for (path, template, status) in rows {
            let service = MonitoringService::for_test();
            let app = app(by_name_routes()).with(service.http_middleware());
            let counted = counted_as(&app, &service, path).await;
            assert_eq!(counted, Some((template.to_owned(), status.to_owned())), "{name}, {path}");
        }
    }
}

/// What makes an answer of its own loses the template. It is known again once the route was seen, and until then a 404 is
/// `unmatched`, everything else `unknown`. The seen ones may be seen in a request that keeps its template only.
#[tokio::test]
async fn a_template_that_middleware_loses_is_known_from_what_was_seen() {
    struct Row {
        name: &'static str,
        layers: Layers,
        path: &'static str,
        status: &'static str,
        /// Requests that keep their template, before it.
        before: &'static [&'static str],
        /// Counted under this at first, and under that after them.
        first: &'static str,
        then: &'static str,
    }
    let row = |name, layers, path, status, before, first, then| Row { name, layers, path, status, before, first, then };
    let caught: Layers = |app| boxed(app.catch_all_error(page));
    let not_found: Layers = |app| boxed(app.catch_error(|_: NotFoundError| async { (StatusCode::NOT_FOUND, "page") }));
    let catches: Layers = |app| boxed(app.with(CatchPanic::new()));
    let panic_page: Layers = |app| boxed(app.with(CatchPanic::new().with_handler(|_| (StatusCode::NOT_FOUND, "gone"))));
    let inner: Layers = |_| {
        let api = Route::new().at("/users/:id", poem::endpoint::make(by_name)).catch_all_error(page);
        boxed(Route::new().nest("/api", api))
    };
    let at_the_root: Layers = |app| boxed(Route::new().nest("/", app.catch_all_error(page)));
    let hidden: Layers = |app| {
        boxed(app.before(|request| async move {
            match request.uri().query() {
                Some("hidden") => Err(NotFoundError.into()),
                Some("refused") => Err(Error::from_status(StatusCode::UNAUTHORIZED)),
                _ => Ok(request),
            }
        }))
    };
    let rebuilt: Layers = |app| {
        boxed(app.around(|app, request| async move {
            let response = app.get_response(request).await;
            let is_error = !response.status().is_success();
            // As a proxy or a cache does it: a new response of the old one's parts.
            if is_error { Ok((response.status(), "rebuilt").into_response()) } else { Ok(response) }
        }))
    };
    let normalized: Layers = |app| boxed(app.with(NormalizePath::new(TrailingSlash::Trim)).with(CatchPanic::new()));
    let tower: Layers = |app| boxed(app.with(tower::timeout::TimeoutLayer::new(Duration::from_millis(1)).compat()));
    let sized: Layers = |app| {
        boxed(app.with(SizeLimit::new(0)).around(|app, mut request| async move {
            request.headers_mut().insert(header::CONTENT_LENGTH, header::HeaderValue::from_static("0"));
            if request.uri().query().is_some() {
                request.headers_mut().insert(header::CONTENT_LENGTH, header::HeaderValue::from_static("9"));
            }
            app.call(request).await
        }))
    };
    let cors: Layers = |app| boxed(app.with(Cors::new().allow_origin("http://elsewhere.org")));
    let https: Layers =
        |app| boxed(app.with(ForceHttps::new().filter(|request: &Request| request.uri().query().is_some())));
    let users = &["/users/1"][..];
    for Row { name, layers, path, status, before, first, then } in [
        row("catch_all_error", caught, "/users/lost", "404", users, "unmatched", "/users/:id"),
        row("catch_all_error", caught, "/users/broken", "502", users, "unknown", "/users/:id"),
        row("catch_all_error", caught, "/api/users/lost", "404", &["/api/users/1"], "unmatched", "/api/users/:id"),
        row("catch_all_error", caught, "/st/lost", "404", &["/st/a.css"], "unmatched", "/st"),
        row("catch_all_error", caught, "/st/broken", "502", &["/st/a.css", "/st"], "unknown", "/st"),
        row("catch_all_error", caught, "/nothing", "404", users, "unmatched", "unmatched"),
        row("catch_all_error", caught, "/users/", "404", users, "unmatched", "unmatched"),
        row("catch_all_error", caught, "/users//1", "404", users, "unmatched", "unmatched"),
        row("catch_all_error", caught, "/users/1/2", "404", users, "unmatched", "unmatched"),
        row("catch_all_error", caught, "/exact/1", "404", &["/exact"], "unmatched", "unmatched"),
        row(
            "catch_all_error below a mount",
            inner,
            "/api/users/lost",
            "404",
            &["/api/users/1"],
            "/api",
            "/api/users/:id",
        ),
        row(
            "catch_all_error below a mount",
            inner,
            "/api/users/broken",
            "502",
            &["/api/users/1"],
            "/api",
            "/api/users/:id",
        ),
        row("catch_all_error below the root", at_the_root, "/users/lost", "404", users, "unmatched", "/users/:id"),
        row("catch_all_error below the root", at_the_root, "/users/broken", "502", users, "/", "/users/:id"),
        row("catch_error", not_found, "/users/lost", "404", users, "unmatched", "/users/:id"),
        row("catch_error", not_found, "/nothing", "404", users, "unmatched", "unmatched"),
        row("CatchPanic", catches, "/users/panic", "500", users, "unknown", "/users/:id"),
        row("CatchPanic that answers 404", panic_page, "/users/panic", "404", users, "unmatched", "/users/:id"),
        row("no CatchPanic", |app| boxed(app), "/users/panic", "500", users, "unknown", "/users/:id"),
        row("a drop", |app| boxed(app), "/users/never", "499", users, "unknown", "/users/:id"),
        row("NormalizePath", normalized, "//users//panic/", "500", users, "unknown", "/users/:id"),
        row("NormalizePath", normalized, "/users/panic?a=/b/", "500", users, "unknown", "/users/:id"),
        row("before", hidden, "/users/7?hidden", "404", users, "unmatched", "/users/:id"),
        row("before", hidden, "/users/7?refused", "401", users, "unknown", "/users/:id"),
        row("before", hidden, "/nothing?hidden", "404", users, "unmatched", "unmatched"),
        row("before", hidden, "/nothing?refused", "401", users, "unknown", "unknown"),
        row("around", rebuilt, "/users/missing", "404", users, "unmatched", "/users/:id"),
        row("around", rebuilt, "/users/broken", "502", users, "unknown", "/users/:id"),
        row("tower's Timeout", tower, "/users/never", "500", users, "unknown", "/users/:id"),
        row("SizeLimit", sized, "/users/7?large", "413", users, "unknown", "/users/:id"),
        row("Cors", cors, "/users/7", "403", &[], "unknown", "unknown"),
        row("ForceHttps", https, "/users/7?http", "308", users, "unknown", "/users/:id"),
    ] {
        let service = MonitoringService::for_test();
        let app = layers(by_name_routes()).with(service.http_middleware());
        let as_first = counted_as(&app, &service, path).await;
        assert_eq!(as_first, Some((first.to_owned(), status.to_owned())), "{name}, {path}, first");
        for path in before {
            counted_as(&app, &service, path).await;
        }
        let as_then = counted_as(&app, &service, path).await;
        assert_eq!(as_then, Some((then.to_owned(), status.to_owned())), "{name}, {path}, after {before:?}");
        // Skipped where it is known.
        if then.starts_with('/') {
            let service = MonitoringService::for_test();
            let app = layers(by_name_routes()).with(service.http_middleware().skip(then));
            for path in before {
                counted_as(&app, &service, path).await;
            }
            assert_eq!(counted_as(&app, &service, path).await, None, "{name}, {path}, skipped");
        }
    }
}

/// Below a route the request has the template, and the answer gets it later.
#[tokio::test]
async fn the_middleware_below_a_route_takes_the_template_of_the_request() {
    for (path, template, status) in [
        ("/users/7", "/users/:id", "200"),
        ("/users/missing", "/users/:id", "404"),
        ("/users/broken", "/users/:id", "502"),
        ("/users/panic", "/users/:id", "500"),
        ("/users/never", "/users/:id", "499"),
        ("/st/a.css", "/st", "200"),
        ("/st/missing", "/st", "404"),
        ("/st/panic", "/st", "500"),
        ("/api/users/7", "/api/users/:id", "200"),
        ("/api/users/missing", "/api/users/:id", "404"),
        ("/api/nothing", "/api", "404"),
        ("/deep/er/7", "/deep/er/:x", "200"),
        ("/deep/er/panic", "/deep/er/:x", "500"),
        ("/other", "/", "200"),
        ("/missing", "unmatched", "404"),
    ] {
        let service = MonitoringService::for_test();
        let leaf = || poem::endpoint::make(by_name).with(service.http_middleware());
        let api = Route::new().at("/users/:id", poem::endpoint::make(by_name)).with(service.http_middleware());
        let app = Route::new()
            .at("/users/:id", leaf())
            .nest("/st", leaf())
            .nest("/api", api)
            .nest("/deep", Route::new().nest("/er", Route::new().at("/:x", leaf())))
            .nest("/", leaf());
        let expected = Some((template.to_owned(), status.to_owned()));
        assert_eq!(counted_as(&app, &service, path).await, expected, "{path}");
        assert_eq!(counted_as(&app, &service, path).await, expected, "{path}, again");
    }
    let service = MonitoringService::for_test();
    let app =
        Route::new().at("/users/:id", poem::endpoint::make(by_name).with(service.http_middleware().skip("/users/:id")));
    assert_eq!(counted_as(&app, &service, "/users/missing").await, None);
}

/// Where two templates fit a path equally well, poem takes the one that was routed first, which nobody can see.
#[tokio::test]
async fn of_two_templates_that_fit_alike_none_is_guessed() {
    let service = MonitoringService::for_test();
    let routes = Route::new()
        .at("/n/:a<^[0-9]+>", poem::endpoint::make(by_name))
        .at("/n/:b<^[a-z0-9]+>", poem::endpoint::make(by_name));
    let app = routes.with(CatchPanic::new()).with(service.http_middleware());
    counted_as(&app, &service, "/n/1").await;
    let row = |path: &str| Some((path.to_owned(), "500".to_owned()));
    assert_eq!(counted_as(&app, &service, "/n/panic").await, row("unknown"), "the one that fits was not seen");
    counted_as(&app, &service, "/n/a").await;
    assert_eq!(counted_as(&app, &service, "/n/panic").await, row("/n/:b<^[a-z0-9]+>"));
    assert_eq!(counted_as(&app, &service, "/n/1").await, Some(("/n/:a<^[0-9]+>".to_owned(), "200".to_owned())));
    let service = MonitoringService::for_test();
    let domains = RouteDomain::new()
        .at("a.example", Route::new().at("/:a", get(ok)))
        .at("*", Route::new().at("/:b", get(ok)))
        .before(|request| async move {
            if request.uri().query().is_some() { Err(StatusCode::UNAUTHORIZED.into()) } else { Ok(request) }
        })
        .with(service.http_middleware());
    let request = Request::builder().uri_str("/x").header(header::HOST, "a.example").finish();
    domains.get_response(request).await;
    counted_as(&domains, &service, "/x").await;
    assert_eq!(counted_as(&domains, &service, "/x?refused").await, Some(("unknown".to_owned(), "401".to_owned())));
}

/// The recipe of docs/requests.md.
#[tokio::test]
async fn an_error_page_can_hand_the_template_on() {
    let service = MonitoringService::for_test();
    let routes = Route::new().at("/users/:id", poem::endpoint::make(by_name)).catch_all_error(|error| async move {
        let template = error.data::<poem::PathPattern>().cloned();
        let mut response = (error.status(), "a page").into_response();
        if let Some(template) = template {
            response.set_data(template);
        }
        response
    });
    let app = routes.with(service.http_middleware());
    for (path, status) in [("/users/lost", "404"), ("/users/broken", "502")] {
        assert_eq!(counted_as(&app, &service, path).await, Some(("/users/:id".to_owned(), status.to_owned())));
    }
}

#[tokio::test]
async fn a_template_is_skipped_in_every_spelling_that_poem_takes() {
    for (route, skip) in [("hello", "hello"), ("hello", "/hello"), ("//dbl//x", "//dbl//x"), ("/dbl/x", "dbl///x")] {
        let service = MonitoringService::for_test();
        let app = Route::new().at(route, get(ok)).with(service.http_middleware().skip(skip));
        let path = if route == "hello" { "/hello" } else { "/dbl/x" };
        assert_eq!(app.get_response(request(Method::GET, path)).await.status(), StatusCode::OK);
        assert_eq!(counted(&service.render()), [], "{skip}");
    }
    let service = MonitoringService::for_test();
    let app = Route::new().at("/a", get(ok)).with(service.http_middleware().skip("unmatched"));
    assert_eq!(counted_as(&app, &service, "/nothing").await, None);
    assert_eq!(counted_as(&app, &service, "/a").await, Some(("/a".to_owned(), "200".to_owned())));
}

#[tokio::test]
async fn a_status_that_http_does_not_have_is_other() {
    #[handler]
    fn invented(Path(n): Path<u16>) -> StatusCode {
        StatusCode::from_u16(n).expect("a number of three digits")
    }
    let service = MonitoringService::for_test();
    let app = Route::new().at("/:n", get(invented)).with(service.http_middleware());
    for n in 100..1_000 {
        for _ in 0..2 {
            assert_eq!(app.get_response(request(Method::GET, &format!("/{n}"))).await.status().as_u16(), n);
        }
    }
    let row = |status: &str, n| (format!(r#"{{method="GET",path="/:n",status_code="{status}"}}"#), n);
    let mut expected: Vec<_> = (200..600).map(|n| row(&n.to_string(), 2.0)).collect();
    expected.insert(0, row("101", 2.0));
    expected.push(row("other", 2.0 * (99.0 + 400.0)));
    assert_eq!(counted(&service.render()), expected);
}

/// The endpoint in its place, under whatever the application does there itself.
#[tokio::test]
async fn a_path_that_the_application_has_is_an_error_and_no_panic() {
    let service = MonitoringService::for_test();
    let taken: [Route; 4] = [
        Route::new().at("/metrics", get(ok)),
        Route::new().at("metrics", get(ok)),
        Route::new().at("/metrics/", get(ok)),
        Route::new().nest("/metrics", Route::new().at("/x", get(ok))),
    ];
    for route in taken {
        let error = service.metrics_endpoint().mount(route).expect_err("taken").to_string();
        let start = "monitoring configuration, path: `/metrics";
        assert!(error.starts_with(start) && error.contains("is a route of the application"), "{error}");
        assert!(error.contains("MONITORING_PATH"), "{error}");
    }
    // One that takes it among others is as good as none.
    let others: [Route; 4] = [
        Route::new().at("/:page", get(ok)),
        Route::new().at("/*rest", get(ok)),
        Route::new().nest("/", get(ok)),
        Route::new().at("/metrics/:x", get(ok)).at("/<.*>", get(ok)),
    ];
    for route in others {
        let app = service.metrics_endpoint().mount(route).expect("free").with(service.http_middleware());
        for path in ["/metrics", "/metrics/"] {
            let response = app.get_response(request(Method::GET, path)).await;
            assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
        }
        assert_eq!(app.get_response(request(Method::GET, "/x")).await.status(), StatusCode::OK);
    }
    for slashes in [TrailingSlash::Trim, TrailingSlash::Always] {
        let app = service.metrics_endpoint().mount(Route::new()).expect("free").with(NormalizePath::new(slashes));
        for path in ["/metrics", "/metrics/", "//metrics"] {
            assert_eq!(app.get_response(request(Method::GET, path)).await.status(), StatusCode::OK, "{path}");
        }
    }
    let text = service.render();
    // With the slash and without it.
    let series = r#"compozy_http_requests_total{method="GET",path="/metrics",status_code="200"}"#;
    assert_eq!(value(&text, series), 8.0);
    assert!(!text.contains("\"/metrics/\""), "{text}");
}

#[tokio::test]
async fn while_monitoring_is_off_the_application_s_own_route_answers_and_else_the_reason() {
    let service = MonitoringService::new(Config::default().path("/health")).expect("valid");
    let ask = async |route: Route, method: Method, path: &str| {
        let app = service.metrics_endpoint().mount(route).expect("off").with(service.http_middleware());
        let response = app.get_response(request(method, path)).await;
        (response.status().as_u16(), response.into_body().into_string().await.expect("text"))
    };
    let own = |status: u16| (status, "ok".to_owned());
    assert_eq!(ask(Route::new().at("/health", get(ok)), Method::GET, "/health").await, own(200));
    assert_eq!(ask(Route::new().at("/health", get(ok)), Method::POST, "/health").await.0, 405);
    assert_eq!(ask(Route::new().nest("/health", get(ok)), Method::GET, "/health").await, own(200));
    assert_eq!(ask(Route::new().at("/:page", get(ok)), Method::GET, "/health").await, own(200));
    // The application's own 404 is its own.
    let gone = Route::new().at("/health", get(not_found_by_the_handler));
    assert_eq!(ask(gone, Method::GET, "/health").await, (404, String::new()));
    let lost = Route::new().at("/health", poem::endpoint::make(|_| async { Err::<(), Error>(NotFoundError.into()) }));
    assert_eq!(ask(lost, Method::GET, "/health").await.0, 404);
    let reason = "503: monitoring is disabled; MONITORING_ENABLED=true enables it\n".to_owned();
    for path in ["/health", "/health/"] {
        assert_eq!(ask(Route::new().at("/x", get(ok)), Method::GET, path).await, (503, reason.clone()));
        assert_eq!(ask(Route::new(), Method::POST, path).await.0, 405);
    }
    assert_eq!(ask(Route::new(), Method::GET, "/healthy").await.0, 404);
    assert_eq!(ask(Route::new(), Method::GET, "/").await.0, 404);
}

#[test]
fn the_example_says_which_setting_is_in_its_way_and_does_not_mind_while_monitoring_is_off() {
    let port = common::processes::free_port();
    for path in ["/health", "/docs/openapi.json"] {
        let mut server = std::process::Command::new(common::processes::example());
        server
            .envs([("MONITORING_ENABLED", "true"), ("MONITORING_PATH", path)])
            .env("COMPOZY_ADDR", format!("127.0.0.1:{port}"));
        if path == "/health" {
            let output = server.output().expect("it ends");
            let log = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{log}");
            assert!(
                log.contains("`/health` is a route of the application") && log.contains("MONITORING_PATH"),
                "{log}"
            );
            assert!(!log.contains("panicked"), "{log}");
        }
    }
    let _server = common::processes::serve(port, &[("MONITORING_PATH", "/health")]);
    let answer = common::processes::get(port, "/health").expect("an answer");
    assert_eq!(answer, (200, "ok\n".to_owned()));
}

/// A scrape as Prometheus makes it: the text, if it is encoded once at the most.
async fn scraped(app: &impl Endpoint, accept: &str) -> String {
    let request = Request::builder().uri_str("/metrics").header(header::ACCEPT_ENCODING, accept).finish();
    let response = app.get_response(request).await;
    let encodings: Vec<_> = response.headers().get_all(header::CONTENT_ENCODING).iter().cloned().collect();
    assert!(encodings.len() <= 1, "{accept}: {encodings:?}");
    let length = response.header("content-length").map(|length| length.parse::<usize>().expect("a number"));
    let bytes = response.into_body().into_vec().await.expect("a body");
    assert!(length.is_none_or(|length| length == bytes.len()));
    let mut text = String::new();
    match encodings.first().map(|encoding| encoding.to_str().expect("ASCII")) {
        Some("gzip") => _ = flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("gzip"),
        None => text = String::from_utf8(bytes).expect("UTF-8"),
        // Whoever asks poem for another one gets it.
        Some(_) => return String::from("# HELP"),
    }
    text
}

#[tokio::test]
async fn compression_around_everything_encodes_a_scrape_once() {
    let service = MonitoringService::for_test();
    let mount = |endpoint: compozy_monitoring::MetricsEndpoint| endpoint.mount(Route::new()).expect("free");
    let endpoint = || service.metrics_endpoint();
    let apps = [
        // As the documents have it: the middleware is outermost.
        boxed(mount(endpoint()).with(Compression::new()).with(service.http_middleware())),
        boxed(Route::new().at("/metrics", endpoint()).with(Compression::new()).with(service.http_middleware())),
        boxed(Route::new().at("/metrics", get(endpoint()).with(Compression::new())).with(service.http_middleware())),
        // Outermost it is not, or there is none: by the switch.
        boxed(mount(endpoint().gzip(false)).with(service.http_middleware()).with(Compression::new())),
        boxed(Route::new().at("/metrics", endpoint().gzip(false)).with(Compression::new())),
        // Nobody compresses.
        boxed(mount(endpoint().gzip(false)).with(service.http_middleware())),
    ];
    for (i, app) in apps.iter().enumerate() {
        for accept in ["gzip", "gzip, br", "br", "identity", "*", "gzip;q=0", "deflate"] {
            assert!(scraped(app, accept).await.starts_with("# HELP"), "{i}, {accept}");
        }
        // A HEAD says what a GET would, and brings nothing.
        let head =
            Request::builder().method(Method::HEAD).uri_str("/metrics").header("accept-encoding", "gzip").finish();
        let head = app.get_response(head).await;
        assert!(head.headers().get_all(header::CONTENT_ENCODING).iter().count() <= 1, "{i}");
        if i < 2 {
            assert!(head.header("content-length").is_some_and(|length| length.parse::<u64>().unwrap() > 100), "{i}");
            assert!(head.into_body().into_vec().await.expect("a body").is_empty());
        }
    }
    assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 0.0);
}

/// Where nothing undoes the second encoding, the log says which layer it is. A server reads the answer otherwise.
#[test]
fn compression_outside_of_everything_is_logged_once_and_a_server_is_not() {
    let service = MonitoringService::for_test();
    let endpoint = service.metrics_endpoint();
    let twice = [
        boxed(Route::new().at("/metrics", endpoint.clone()).with(Compression::new())),
        boxed(Route::new().at("/metrics", endpoint).with(service.http_middleware()).with(Compression::new())),
    ];
    let scrape = || Request::builder().uri_str("/metrics").header(header::ACCEPT_ENCODING, "gzip").finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let log = common::log_of(|| {
        runtime.block_on(async {
            for app in twice.iter().chain(&twice) {
                let response = app.get_response(scrape()).await;
                assert_eq!(response.headers().get_all(header::CONTENT_ENCODING).iter().count(), 2);
                response.into_body().into_vec().await.expect("a body");
            }
        });
    });
    assert_eq!(log.matches("read inside of the application").count(), 1, "{log}");

    let app = service.metrics_endpoint().mount(Route::new()).expect("free").with(service.http_middleware());
    let log = common::log_of(|| {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let acceptor = poem::listener::TcpAcceptor::from_tokio(listener).expect("an acceptor");
            let server = tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(app));
            let (mut client, connection) =
                h2::client::handshake(tokio::net::TcpStream::connect(address).await.expect("a connection"))
                    .await
                    .expect("HTTP/2");
            let connection = tokio::spawn(connection);
            let request = poem::http::Request::get("http://x/metrics").header("accept-encoding", "gzip").body(());
            let (response, _) = client.send_request(request.expect("a request"), true).expect("sent");
            let mut body = response.await.expect("a head").into_body();
            let mut bytes = Vec::new();
            while let Some(part) = body.data().await {
                bytes.extend_from_slice(&part.expect("a part"));
            }
            assert!(bytes.starts_with(&[0x1f, 0x8b]));
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut client = tokio::net::TcpStream::connect(address).await.expect("a connection");
            let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
            client.write_all(request).await.expect("sent");
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("an answer");
            assert!(answer.starts_with(b"HTTP/1.1 200"));
            connection.abort();
            server.abort();
        });
    });
    assert!(!log.contains("read inside"), "{log}");
}

/// Known fault 14, and the worst case of it: the application waits for something on every thread that Tokio has for that.
#[test]
fn a_scrape_is_answered_while_the_application_has_every_thread_of_the_blocking_pool() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for family in 0..common::size(1, 50) {
            for i in 0..2_000 {
                // label-lint: allow(unresolved-name) fifty families of one size
                counter!(format!("compozy_large_{family}_total"), "queue" => i.to_string()).increment(1);
            }
        }
    });
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).max_blocking_threads(2).enable_all().build().expect("a runtime");
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let busy = Arc::new(std::sync::Barrier::new(3));
    for _ in 0..2 {
        let (held, busy) = (held.clone(), busy.clone());
        runtime.spawn_blocking(move || {
            busy.wait();
            // Until the test is over.
            let _ = held.lock().map(|held| held.recv());
        });
    }
    busy.wait();
    let app = service.metrics_endpoint().mount(Route::new().at("/ok", get(ok))).expect("free");
    runtime.block_on(async {
        for accept in ["identity", "gzip"] {
            let scrape = tokio::time::timeout(Duration::from_secs(30), scraped(&app, accept)).await;
            assert!(scrape.expect("answered").contains("compozy_large_0_total{queue=\"1999\"} 1\n"));
        }
    });
    drop(release);
    // And the thread ends with its scrape.
    common::processes::until("no thread is left", || {
        let threads = std::fs::read_dir("/proc/self/task").expect("Linux").filter_map(Result::ok);
        let mut names = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
        !names.any(|name| name.trim() == "compozy-scrape")
    });
}

#[test]
fn who_serves_the_text_without_poem_learns_why_there_is_none() {
    let service = MonitoringService::for_test();
    assert_eq!(service.try_render().map(|text| text.starts_with("# HELP")), Ok(true));
    service.shutdown();
    assert_eq!(service.try_render(), Err(RenderError::Off("monitoring was shut down")));
    assert_eq!(service.render(), "");
    let off = MonitoringService::new(None).expect("valid");
    let reason = off.try_render().expect_err("off");
    assert_eq!(reason.to_string(), "monitoring is disabled; MONITORING_ENABLED=true enables it");
}

/// A subscriber can make requests, and what it asks for is what is just being counted.
#[test]
fn a_log_line_that_makes_a_request_of_its_own_holds_nobody_up() {
    use std::sync::OnceLock;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    static ASK: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();
    struct Asks;
    impl<S: tracing::Subscriber> Layer<S> for Asks {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            if *event.metadata().level() == tracing::Level::WARN
                && let Some(ask) = ASK.get()
            {
                ask();
            }
        }
    }
    let service = MonitoringService::for_test();
    // Two series a route: as many as a family may have, and two more. Their template is one that is kept.
    let routes = (0..=1_000).fold(Route::new(), |routes, n| routes.at(format!("/t{n}"), make_sync(|_| "ok")));
    let app = Arc::new(routes.with(service.http_middleware()));
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        use futures_util::FutureExt;
        let ask = {
            let app = app.clone();
            move |(n, method)| app.get_response(request(method, &format!("/t{n}"))).now_or_never().is_some()
        };
        let again = ask.clone();
        let nested = Box::new(move || _ = again((1_000, Method::GET)));
        assert!(ASK.set(nested).is_ok());
        common::seen_by(tracing_subscriber::registry().with(Asks), || {
            assert!((0..=1_000).flat_map(|n| [(n, Method::GET), (n, Method::POST)]).all(ask));
        });
        done.send(()).expect("the test waits");
    });
    assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(()), "it waits for itself");
    let all = sum(&service.render(), "compozy_http_requests_total");
    assert!(all > 2_002.0, "{all} requests, the subscriber's too");
}
