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
use compozy_monitoring::{MonitoringService, counter};
use poem::{
    Body, Endpoint, EndpointExt, Error, IntoResponse, Request, Response, Route, RouteDomain, get, handler,
    http::{Method, StatusCode, header},
    middleware::CatchPanic,
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
        ("GET", "/wp-admin/setup.php", "GET", "unmatched", 404),
        ("BREW", "/ok", "OTHER", "/ok", 405),
        ("get", "/ok", "OTHER", "/ok", 405),
        ("PROPFIND", "/nothing", "OTHER", "unmatched", 404),
        ("OPTIONS", "/ok", "OPTIONS", "/ok", 405),
        ("PATCH", "/ok", "PATCH", "/ok", 405),
        ("PUT", "/ok", "PUT", "/ok", 405),
        ("TRACE", "/ok", "TRACE", "/ok", 405),
        ("CONNECT", "/ok", "CONNECT", "/ok", 405),
        ("GET", "/stream", "GET", "/stream", 200),
    ];
    for (method, uri, label, path, status) in rows {
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
        let requests: Vec<Request> = (0..100).map(|_| request()).collect();
        common::allocations(|| requests.into_iter().for_each(run))
    };
    let bare = cost(&|req| drop(bare.call(req).now_or_never()));
    let watched = cost(&|req| drop(watched.call(req).now_or_never()));
    assert!(bare >= 100, "poem allocates, and the counter sees it");
    assert_eq!(watched, bare);
    assert_eq!(sum(&service.render(), "compozy_http_requests_total"), 101.0);
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
        let text = got.into_body().into_string().await.expect("text");
        assert!(text.contains("compozy_monitoring_health 1\n"));

        let head = app.get_response(request(Method::HEAD, path)).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.content_type(), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert!(path != "/metrics" || head.header("content-length") == Some(text.len().to_string().as_str()));
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
        assert_eq!(response.header("vary"), Some("Accept-Encoding"));
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
