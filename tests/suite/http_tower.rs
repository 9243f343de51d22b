//! The layer and the scrape service of tower: what a request leaves behind, by outcome, in process and over sockets. The same
//! promises as poem's, in `http.rs`; each test has a service of its own.
#![cfg(all(feature = "prometheus", feature = "http-axum"))]

use crate::common;

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    future::{Future, pending},
    io::Read,
    pin::{Pin, pin},
    sync::{Arc, LazyLock, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    extract::Path,
    http::{Method, Request, Response, StatusCode, header},
    routing::{any, get, post},
};
use bytes::Bytes;
use common::{samples, sum, value};
use compozy_monitoring::{Config, HttpLayer, MonitoringService, Routes, counter};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tower::{Layer, Service, ServiceExt, service_fn, timeout::TimeoutLayer};

/// A body without a length: chunks, then an end, an error, or nothing more.
struct Chunks {
    left: Vec<&'static str>,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Ends,
    Breaks,
    Hangs,
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match (self.left.pop(), self.end) {
            (Some(chunk), _) => Poll::Ready(Some(Ok(Frame::data(chunk.into())))),
            (None, End::Ends) => Poll::Ready(None),
            (None, End::Breaks) => Poll::Ready(Some(Err(std::io::Error::other("broken")))),
            (None, End::Hangs) => Poll::Pending,
        }
    }
}

fn chunks(end: End) -> Response<Body> {
    Response::new(Body::new(Chunks { left: vec!["c", "b", "a"], end }))
}

async fn upgrades(mut req: axum::extract::Request) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut req);
    tokio::spawn(async move {
        let mut io = hyper_util::rt::TokioIo::new(upgrade.await.expect("upgraded"));
        let mut byte = [0];
        io.read_exact(&mut byte).await.expect("a byte");
        io.write_all(&byte).await.expect("the same byte");
    });
    let head = Response::builder().status(101).header("upgrade", "echo").header("connection", "upgrade");
    head.body(Body::empty()).expect("a response")
}

fn routes() -> Router {
    let nested = Router::new().route("/", get("ok")).route("/users/{id}", get("ok").post("ok")).fallback("elsewhere");
    Router::new()
        .route("/ok", get("ok"))
        .route("/users/{id}", get("ok"))
        .route("/files/{*path}", get("ok"))
        .route("/handler-404", get(StatusCode::NOT_FOUND))
        .route("/error", get(StatusCode::BAD_GATEWAY))
        .route("/slow", get(StatusCode::GATEWAY_TIMEOUT))
        .route("/invented", get(async || StatusCode::from_u16(799).expect("a status")))
        .route("/panic", get(async || -> &'static str { panic!("on purpose") }))
        .route("/never", get(async || pending::<&'static str>().await))
        .route("/stream", get(async || chunks(End::Ends)))
        .route("/breaks", get(async || chunks(End::Breaks)))
        .route("/hangs", get(async || chunks(End::Hangs)))
        .route("/post", post("ok"))
        .route("/echo", post(async |body: Bytes| body))
        .route("/upgrade", any(upgrades))
        .nest("/api", nested)
        .nest_service("/assets", service_fn(async |_| Ok::<_, Infallible>(Response::new(Body::from("asset")))))
}

fn request(method: &str, uri: &str) -> Request<Body> {
    Request::builder().method(method).uri(uri).body(Body::empty()).expect("a request")
}

/// The counted requests as labels, and how often.
fn counted(text: &str) -> Vec<(String, f64)> {
    let prefix = "compozy_http_requests_total";
    samples(text).into_iter().filter_map(|(series, n)| Some((series.strip_prefix(prefix)?.to_owned(), n))).collect()
}

fn labels(method: &str, path: &str, status: u16) -> String {
    let status = if status == 799 { "other".to_owned() } else { status.to_string() };
    format!(r#"{{method="{method}",path="{path}",status_code="{status}"}}"#)
}

/// What one future of the layer leaves behind.
fn only(service: &MonitoringService) -> Vec<(String, f64)> {
    let text = service.render();
    assert_eq!(sum(&text, "compozy_http_request_duration_seconds_count"), sum(&text, "compozy_http_requests_total"));
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0);
    counted(&text)
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
        ("GET", "/users/7", "GET", "/users/{id}", 200),
        ("GET", "/users/%2e%2e%2fetc", "GET", "/users/{id}", 200),
        ("GET", "/users/%22%5c%0a", "GET", "/users/{id}", 200),
        ("GET", "/users/", "GET", "unmatched", 404),
        ("GET", "/files/a/b/c", "GET", "/files/{*path}", 200),
        ("GET", "/handler-404", "GET", "/handler-404", 404),
        ("GET", "/error", "GET", "/error", 502),
        ("GET", "/invented", "GET", "/invented", 799),
        ("GET", "/api", "GET", "/api", 200),
        ("GET", "/api/users/7", "GET", "/api/users/{id}", 200),
        ("POST", "/api/users/7", "POST", "/api/users/{id}", 200),
        ("DELETE", "/api/users/7", "DELETE", "/api/users/{id}", 405),
        // A fallback that answers is no route.
        ("GET", "/api/nothing", "GET", "unknown", 200),
        // axum has no name for what is below a nested service.
        ("GET", "/assets/x.js", "GET", "unknown", 200),
        ("GET", "/", "GET", "unmatched", 404),
        ("GET", "/stream", "GET", "/stream", 200),
    ];
    for (method, uri, label, path, status) in rows.iter().chain(&common::NO_ROUTE) {
        let service = MonitoringService::for_test();
        let app = routes().layer(service.http_layer());
        // Twice: the first one looks the series up, the second finds them.
        for times in [1.0, 2.0] {
            let response = app.clone().oneshot(request(method, uri)).await.expect("infallible");
            assert_eq!(response.status().as_u16(), *status, "{method} {uri}");
            drop(response);
            assert_eq!(only(&service), [(labels(label, path, *status), times)], "{method} {uri}");
        }
    }
}

type Answer = Result<Response<Body>, std::io::Error>;

/// A service whose handler does this, in the layer; its one route is `/x`.
fn one<F: Future<Output = Answer>>(
    service: &MonitoringService,
    handler: impl Fn() -> F + Clone,
) -> impl Service<Request<()>, Response: std::fmt::Debug, Error = std::io::Error> + Clone {
    let layer = service.http_layer().template(|head| (head.uri().path() == "/x").then_some("/x"));
    layer.layer(service_fn(move |_| handler()))
}

fn x() -> Request<()> {
    Request::get("/x").body(()).expect("a request")
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_request_that_nobody_waits_for_is_499_polled_or_not() {
    for polls in 0..3 {
        let service = MonitoringService::for_test();
        let mut app = one(&service, pending::<Answer>);
        {
            let mut future = pin!(app.call(x()));
            (0..polls).for_each(|_| assert!(poll(future.as_mut()).is_pending()));
            assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 1.0);
        }
        assert_eq!(only(&service), [(labels("GET", "/x", 499), 1.0)], "{polls} polls");
    }
}

#[test]
fn a_panic_is_500_wherever_the_handler_has_it_and_goes_on() {
    let caught = |run: &mut dyn FnMut()| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("it goes on");
    };
    // In the future.
    let service = MonitoringService::for_test();
    let mut app = one(&service, async || -> Answer { panic!("on purpose") });
    caught(&mut || _ = poll(pin!(app.call(x()))));
    assert_eq!(only(&service), [(labels("GET", "/x", 500), 1.0)]);
    // Before there is one.
    let service = MonitoringService::for_test();
    let mut app = one(&service, || -> std::future::Ready<Answer> { panic!("on purpose") });
    caught(&mut || drop(app.call(x())));
    assert_eq!(only(&service), [(labels("GET", "/x", 500), 1.0)]);
}

#[tokio::test]
async fn an_error_of_the_service_is_500_and_goes_on() {
    let service = MonitoringService::for_test();
    let app = one(&service, async || Err(std::io::Error::other("broken")));
    assert_eq!(app.oneshot(x()).await.expect_err("broken").to_string(), "broken");
    assert_eq!(only(&service), [(labels("GET", "/x", 500), 1.0)]);
}

#[tokio::test]
async fn a_body_that_streams_keeps_its_request_in_flight_to_its_end_and_a_known_length_does_not() {
    let in_flight = |service: &MonitoringService| value(&service.render(), "compozy_http_requests_in_flight");
    let service = MonitoringService::for_test();
    let app = routes().layer(service.http_layer());
    let get = |path: &str| app.clone().oneshot(request("GET", path));

    let known = get("/ok").await.expect("infallible");
    assert_eq!(in_flight(&service), 0.0, "its bytes are there");
    assert_eq!(known.into_body().collect().await.expect("a body").to_bytes(), "ok");

    let mut body = get("/stream").await.expect("infallible").into_body();
    for _ in 0..3 {
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        assert_eq!(in_flight(&service), 1.0);
    }
    assert!(body.frame().await.is_none());
    assert_eq!(in_flight(&service), 0.0, "at the end, and not when it is dropped");
    drop(body);

    let mut body = get("/breaks").await.expect("infallible").into_body();
    while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
    assert_eq!(in_flight(&service), 0.0, "it failed");
    drop(body);

    let mut body = get("/hangs").await.expect("infallible").into_body();
    assert!(body.frame().await.is_some());
    assert_eq!(in_flight(&service), 1.0);
    drop(body);
    assert_eq!(in_flight(&service), 0.0, "half read");
    assert_eq!(sum(&service.render(), "compozy_http_requests_total"), 4.0);

    let upgrade = one(&service, async || {
        let mut response = chunks(End::Hangs);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        Ok(response)
    });
    let upgraded = upgrade.oneshot(x()).await.expect("an answer");
    assert_eq!(in_flight(&service), 0.0, "an upgrade leaves at its head");
    drop(upgraded);
}

#[tokio::test]
async fn a_function_says_the_template_and_a_path_is_never_one() {
    async fn after<R: Routes>(layer: HttpLayer<R>, uri: &str, status: u16) {
        let inner = service_fn(async |_| {
            let response = Response::builder().status(status).body(Body::empty());
            Ok::<_, Infallible>(response.expect("a response"))
        });
        layer.layer(inner).oneshot(request("GET", uri)).await.expect("infallible");
    }
    for (given, status, path) in [
        (Some("/x/{id}"), 200, "/x/{id}"),
        (Some("/x/{id}"), 404, "/x/{id}"),
        (Some(""), 200, "unknown"),
        (None, 200, "unknown"),
        (None, 404, "unmatched"),
        (Some("unmatched"), 200, "unmatched"),
        (Some("a\"b\\c"), 200, r#"a\"b\\c"#),
    ] {
        let service = MonitoringService::for_test();
        after(service.http_layer().template(move |_| given), "/x/7", status).await;
        // Whoever makes the text anew for each request is counted alike.
        after(service.http_layer().template(move |_| given.map(str::to_owned)), "/x/7", status).await;
        assert_eq!(only(&service), [(labels("GET", path, status), 2.0)], "{given:?} {status}");
    }
    // Without a function and without a router.
    let service = MonitoringService::for_test();
    after(service.http_layer(), "/secret/7", 200).await;
    assert_eq!(only(&service), [(labels("GET", "unknown", 200), 1.0)]);
}

#[tokio::test]
async fn a_skipped_template_is_in_flight_and_not_counted() {
    let service = MonitoringService::for_test();
    let app = routes().layer(service.http_layer().skip("/never").skip("unmatched"));
    {
        let mut never = pin!(app.clone().oneshot(request("GET", "/never")));
        assert!(poll(never.as_mut()).is_pending());
        assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 1.0);
    }
    for uri in ["/nothing", "/ok"] {
        app.clone().oneshot(request("GET", uri)).await.expect("infallible");
    }
    assert_eq!(only(&service), [(labels("GET", "/ok", 200), 1.0)]);
}

#[tokio::test]
async fn the_scope_of_a_test_service_reaches_the_handler_and_its_drop() {
    struct Counts;
    impl Drop for Counts {
        fn drop(&mut self) {
            counter!("compozy_tower_drops_total").increment(1);
        }
    }
    let service = MonitoringService::for_test();
    let app = one(&service, || {
        counter!("compozy_tower_calls_total").increment(1);
        let counts = Counts;
        async move {
            counter!("compozy_tower_polls_total").increment(1);
            let _counts = counts;
            pending().await
        }
    });
    {
        let mut future = pin!(app.oneshot(x()));
        assert!(poll(future.as_mut()).is_pending());
    }
    let text = service.render();
    for name in ["calls", "polls", "drops"] {
        assert_eq!(value(&text, &format!("compozy_tower_{name}_total")), 1.0, "{name}");
    }
}

#[tokio::test]
async fn while_monitoring_is_off_requests_pass_and_after_a_shutdown_nothing_is_counted() {
    own_process!();
    let off = MonitoringService::new(None).expect("off");
    let app = routes().layer(off.http_layer());
    let response = app.oneshot(request("GET", "/stream")).await.expect("infallible");
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "abc");

    let on = || MonitoringService::new(Config::default().enabled(true)).expect("on");
    let first = on();
    let mut app = one(&first, pending::<Answer>);
    let future = app.call(x());
    first.shutdown();
    drop(future);
    drop(app.call(x()));
    // The next one goes on with the same numbers.
    assert_eq!(only(&on()), []);
}

#[tokio::test]
async fn the_steady_state_of_the_layer_allocates_nothing() {
    let service = MonitoringService::for_test();
    let inner = service_fn(|_: Request<()>| std::future::ready(Ok::<_, Infallible>(Response::new(String::new()))));
    let shared: Arc<str> = "/shared/{id}".into();
    let text = shared.clone();
    let with = service.http_layer().template(move |_| Some(text.clone())).layer(inner);
    // The head of a request allocates.
    let heads = std::cell::RefCell::new((0..510).map(|_| x()).collect::<Vec<_>>());
    let with = std::cell::RefCell::new(with);
    let run = || {
        let head = heads.borrow_mut().pop().expect("enough");
        let Poll::Ready(Ok(response)) = poll(pin!(with.borrow_mut().call(head))) else { panic!("ready") };
        drop(response);
    };
    (0..10).for_each(|_| run());
    let used = common::steady_allocations(|| (0..100).for_each(|_| run()));
    assert_eq!(used, 0, "a request of the layer");
    assert_eq!(only(&service), [(labels("GET", "/shared/{id}", 200), 510.0)]);
}

#[tokio::test]
async fn the_scrape_answers_get_and_head_and_nothing_else() {
    let service = MonitoringService::for_test();
    let metrics = service.metrics_service();
    let ask = |method: Method, encoding: &'static str| {
        let request = Request::builder().method(method).header(header::ACCEPT_ENCODING, encoding).body(());
        let answer = metrics.clone().oneshot(request.expect("a request"));
        async {
            let (parts, body) = answer.await.expect("infallible").into_parts();
            (parts.status.as_u16(), parts.headers, body.collect().await.expect("a body").to_bytes())
        }
    };
    let header = |headers: &axum::http::HeaderMap, name: &str| -> String {
        headers.get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    };
    let (status, headers, plain) = ask(Method::GET, "").await;
    assert_eq!((status, header(&headers, "content-encoding").as_str()), (200, ""));
    assert_eq!(header(&headers, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(header(&headers, "content-length"), plain.len().to_string());
    assert_eq!(header(&headers, "cache-control"), "no-store");
    assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
    assert_eq!(header(&headers, "vary"), "Accept, Accept-Encoding");
    assert!(plain.starts_with(b"# HELP compozy_"));
    let (status, headers, zipped) = ask(Method::GET, "gzip").await;
    assert_eq!((status, header(&headers, "content-encoding").as_str()), (200, "gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&zipped[..]).read_to_string(&mut text).expect("gzip");
    assert!(text.contains("compozy_uptime_seconds_total"));
    let (status, headers, body) = ask(Method::HEAD, "").await;
    assert_eq!((status, body.len()), (200, 0));
    assert!(header(&headers, "content-length").parse::<usize>().expect("a length") > 500);
    let (status, headers, _) = ask(Method::POST, "gzip").await;
    assert_eq!((status, header(&headers, "allow").as_str()), (405, "GET, HEAD"));
    service.shutdown();
    let (status, _, body) = ask(Method::GET, "gzip").await;
    assert_eq!((status, &body[..]), (503, &b"503: monitoring was shut down\n"[..]));
}

#[tokio::test]
async fn the_scrape_is_put_beside_the_routes_of_the_application_and_never_over_them() {
    async fn got(app: &Router, path: &str) -> (u16, String) {
        let response = app.clone().oneshot(request("GET", path)).await.expect("infallible");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }
    let app = || Router::new().route("/health", get("well")).route("/{page}", get("a page"));
    let on = MonitoringService::for_test();
    let mounted = on.mount_metrics(app()).expect("free").layer(on.http_layer());
    let (status, text) = got(&mounted, "/metrics").await;
    assert!(status == 200 && text.contains("compozy_uptime_seconds_total"), "{status} {text}");
    assert_eq!(got(&mounted, "/other").await, (200, "a page".to_owned()));
    let counted = counted(&on.render());
    assert!(counted.contains(&(labels("GET", "/metrics", 200), 1.0)), "{counted:?}");
    // Taken while on: an error that names the setting. A second call is that too.
    let error = on.mount_metrics(on.mount_metrics(app()).expect("free")).expect_err("taken").to_string();
    assert!(error.contains("`/metrics` is a route of the application"), "{error}");
    // Off: the application's own, or the reason.
    let off = |path: &str| MonitoringService::new(Config::default().path(path)).expect("off");
    let mounted = off("/metrics").mount_metrics(app()).expect("off");
    let (status, text) = got(&mounted, "/metrics").await;
    assert!(status == 503 && text.starts_with("503: monitoring is disabled"), "{status} {text}");
    for taken in
        [app(), Router::new().route("/health", any("well")), Router::new().nest_service("/health", get("well"))]
    {
        let mounted = off("/health").mount_metrics(taken).expect("off");
        assert_eq!(got(&mounted, "/health").await, (200, "well".to_owned()));
    }
}

/// Tells the client of a request that its handler has begun.
static BEGUN: LazyLock<Mutex<HashMap<String, oneshot::Sender<()>>>> = LazyLock::new(Mutex::default);

async fn begins_and_hangs(Path(id): Path<String>) -> &'static str {
    if let Some(client) = BEGUN.lock().expect("no panic").remove(&id) {
        let _ = client.send(());
    }
    pending().await
}

/// tower's own timeout, and what axum makes of its error.
macro_rules! timed {
    () => {
        (
            HandleErrorLayer::new(async |_: axum::BoxError| StatusCode::GATEWAY_TIMEOUT),
            TimeoutLayer::new(Duration::from_millis(1)),
        )
    };
}

/// The routes, with a timeout below the layer and one above it, which drops what it counts.
fn server(service: &MonitoringService) -> Router {
    let waits = get(async || pending::<&'static str>().await);
    let inside = routes().route("/hangs/{id}", get(begins_and_hangs)).route("/timed", waits.clone().layer(timed!()));
    let outside = Router::new().route("/dropped", waits).layer(service.http_layer()).layer(timed!());
    inside.layer(service.http_layer()).merge(outside)
}

/// Who sent what, and what has to be counted for it.
type Ledger = BTreeMap<String, f64>;

/// Kinds of requests, by path and status; what the client does is in `http_1` and `http_2`.
const KINDS: [(&str, &str, &str, u16); 15] = [
    // what the client does, path, label path, status
    ("reads", "/ok", "/ok", 200),
    ("reads", "/users/{n}?token=secret", "/users/{id}", 200),
    ("reads", "/handler-404", "/handler-404", 404),
    ("reads", "/scanned/{n}", "unmatched", 404),
    ("reads", "/error", "/error", 502),
    ("reads", "/slow", "/slow", 504),
    ("reads", "/invented", "/invented", 799),
    ("reads", "/stream", "/stream", 200),
    ("fails", "/panic", "/panic", 500),
    ("fails", "/breaks", "/breaks", 200),
    // The first is answered below the layer, the second one dropped from above it.
    ("reads", "/timed", "/timed", 504),
    ("reads", "/dropped", "/dropped", 499),
    ("leaves", "/hangs/{n}?token=secret", "/hangs/{id}", 499),
    ("leaves in the body", "/hangs", "/hangs", 200),
    ("upgrades", "/upgrade", "/upgrade", 101),
];

/// The handler of a path tells when it has begun.
fn begun(path: &str) -> oneshot::Receiver<()> {
    let (begun, waits) = oneshot::channel();
    let id = path.trim_start_matches("/hangs/").split('?').next().expect("a part");
    BEGUN.lock().expect("no panic").insert(id.to_owned(), begun);
    waits
}

async fn http_1(address: std::net::SocketAddr, what: &str, method: &str, path: &str) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let connection = if what == "upgrades" { "upgrade\r\nupgrade: echo" } else { "close" };
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\n\r\n");
    let begun = (what == "leaves").then(|| begun(path));
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    match what {
        "reads" => assert!(stream.read_to_end(&mut answer).await.expect("read") > 0),
        "fails" => _ = stream.read_to_end(&mut answer).await,
        "leaves" => begun.expect("a handler").await.expect("it begins"),
        "leaves in the body" => _ = stream.read(&mut [0; 64]).await.expect("a head"),
        _ => {
            let mut head = [0; 1024];
            let n = stream.read(&mut head).await.expect("a head");
            assert!(head[..n].starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head[..n]));
            stream.write_all(b"!").await.expect("written");
            assert_eq!(stream.read_u8().await.expect("echoed"), b'!');
        }
    }
}

async fn http_2(send: &mut h2::client::SendRequest<Bytes>, what: &str, method: &str, path: &str) {
    let request = Request::builder().method(method).uri(format!("http://x{path}")).body(()).expect("a request");
    let begun = (what == "leaves").then(|| begun(path));
    std::future::poll_fn(|cx| send.poll_ready(cx)).await.expect("ready");
    let (response, mut upload) = send.send_request(request, true).expect("sent");
    match begun {
        Some(begun) => {
            begun.await.expect("it begins");
            upload.send_reset(h2::Reason::CANCEL);
        }
        None => {
            let Ok(response) = response.await else { return assert_eq!(what, "fails") };
            let mut body = response.into_body();
            while let Some(frame) = body.data().await {
                let Ok(bytes) = frame else { return assert_eq!(what, "fails") };
                let _ = body.flow_control().release_capacity(bytes.len());
                if what == "leaves in the body" {
                    break;
                }
            }
        }
    }
}

/// One client of several: so many requests of all kinds, and what has to be counted for them.
async fn client(address: std::net::SocketAddr, number: u64, requests: usize) -> Ledger {
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut ledger = Ledger::new();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number + 1);
    for n in 0..requests {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (what, path, template, status) = KINDS[(random >> 8) as usize % KINDS.len()];
        let (path, is_2) = (path.replace("{n}", &format!("{number}-{n}")), random & 1 == 0);
        // HTTP/2 has no 101.
        if what == "upgrades" && is_2 {
            continue;
        }
        let (method, label, status) = match (random >> 40) % 10 {
            0 if what == "reads" && template != "unmatched" => ("BREW", "OTHER", 405),
            _ => ("GET", "GET", status),
        };
        if is_2 {
            http_2(&mut send, what, method, &path).await;
        } else {
            http_1(address, what, method, &path).await;
        }
        *ledger.entry(labels(label, template, status)).or_default() += 1.0;
    }
    connection.abort();
    ledger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_every_kind_at_once_over_http_1_and_http_2_are_counted_exactly() {
    let service = MonitoringService::for_test();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(axum::serve(listener, server(&service)).into_future());

    let requests = common::size(60, 2_500);
    let clients: Vec<_> = (0..8).map(|number| tokio::spawn(client(address, number, requests))).collect();
    let mut ledger = Ledger::new();
    for client in clients {
        for (series, n) in client.await.expect("no panic") {
            *ledger.entry(series).or_default() += n;
        }
    }
    // Of the clients that have left, the server learns a moment later.
    let total: f64 = ledger.values().sum();
    let settled = async {
        loop {
            let text = service.render();
            let in_flight = value(&text, "compozy_http_requests_in_flight");
            if sum(&text, "compozy_http_requests_total") >= total && in_flight == 0.0 {
                break text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let text = match tokio::time::timeout(Duration::from_secs(30), settled).await {
        Ok(text) => text,
        Err(_) => panic!("{ledger:#?} is not\n{}", service.render()),
    };
    assert_eq!(counted(&text).into_iter().collect::<Ledger>(), ledger);
    assert_eq!(sum(&text, "compozy_http_request_duration_seconds_count"), total);
    for personal in ["secret", "scanned", "token", "BREW", "127.0.0.1"] {
        assert!(!text.contains(personal), "{personal}");
    }

    // A server that is told to stop and does not wait: what was under way is 499.
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let begun = begun("/hangs/last");
    let request = Request::builder().uri("http://x/hangs/last").body(()).expect("a request");
    std::future::poll_fn(|cx| send.poll_ready(cx)).await.expect("ready");
    let (last, _) = send.send_request(request, true).expect("sent");
    begun.await.expect("it begins");
    server.abort();
    connection.abort();
    drop((last, send));
    let series = format!("compozy_http_requests_total{}", labels("GET", "/hangs/{id}", 499));
    let before = ledger.get(&labels("GET", "/hangs/{id}", 499)).copied().unwrap_or_default();
    let stopped = async {
        while samples(&service.render()).get(&series).copied().unwrap_or_default() != before + 1.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), stopped).await.expect("counted out");
    assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 0.0);
}

#[test]
fn a_real_prometheus_scrapes_the_right_numbers_from_the_example() {
    use common::processes::{Prometheus, free_port, get, request, serve_built, until};

    let port = free_port();
    let _server = serve_built("axum", port, &[("MONITORING_ENABLED", "true")]);
    for id in 0..20 {
        assert_eq!(get(port, &format!("/api/v1/users/{id}")).expect("an answer").0, 200);
    }
    for (method, path, status) in
        [("GET", "/api/v1/users/ada", 400), ("BREW", "/api/v1/events", 405), ("GET", "/wp-login.php", 404)]
    {
        assert_eq!(request(method, port, path).expect("an answer").0, status, "{method} {path}");
    }
    assert_eq!(get(port, "/api/v1/events").expect("a stream").1.matches("event").count(), 5);
    let (status, text) = get(port, "/metrics").expect("metrics");
    assert_eq!((status, common::promtool(&text).as_str()), (200, ""));
    assert!(!text.contains("/health") && !text.contains("wp-login") && !text.contains("BREW"), "{text}");

    let prometheus = Prometheus::scraping("axum", &[port]);
    until("up", || prometheus.number("up") == Some(1.0));
    for (labels, expected) in [
        (r#"path="/api/v1/users/{id}",status_code="200""#, 20.0),
        (r#"path="/api/v1/users/{id}",status_code="400""#, 1.0),
        (r#"method="OTHER",path="/api/v1/events",status_code="405""#, 1.0),
        (r#"path="/api/v1/events",status_code="200""#, 1.0),
        (r#"path="unmatched",status_code="404""#, 1.0),
    ] {
        let query = format!("compozy_http_requests_total{{{labels}}}");
        until(labels, || prometheus.number(&query) == Some(expected));
    }

    // Off: the same binary does nothing, and says why.
    let port = free_port();
    let _server = serve_built("axum", port, &[]);
    let off = (503, "503: monitoring is disabled; MONITORING_ENABLED=true enables it\n".to_owned());
    assert_eq!(get(port, "/metrics").expect("an answer"), off);
}

#[tokio::test]
async fn a_function_that_panics_leaves_no_request_in_flight() {
    let service = MonitoringService::for_test();
    let inner = service_fn(async |_| Ok::<_, Infallible>(Response::new(Body::empty())));
    let layer = service.http_layer().template(|_| -> Option<&'static str> { std::panic::resume_unwind(Box::new(())) });
    let mut layered = layer.layer(inner);
    let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(layered.call(request("GET", "/x")))));
    assert!(called.is_err());
    assert_eq!(value(&service.render(), "compozy_http_requests_in_flight"), 0.0);
}
