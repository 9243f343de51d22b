//! Requests over real sockets, HTTP/1 and HTTP/2: what a client does to its connection, and what is counted then.
//!
//! Every request of these tests carries [`PERSONAL`] data. None of it may be in what is rendered or logged.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

mod chaos;
#[path = "../common/mod.rs"]
mod common;
mod log;
mod personal;
#[cfg(feature = "http-axum")]
mod personal_tower;
mod scrapers;
mod shutdown;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{samples, sum, value};
use compozy_monitoring::MonitoringService;
use futures_util::{SinkExt, StreamExt};
use poem::{
    Body, Endpoint, EndpointExt, Error, IntoResponse, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::TcpAcceptor,
    web::{Path, websocket::WebSocket},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

/// Tells the client of a request that its handler has begun.
static BEGUN: LazyLock<Mutex<HashMap<u64, oneshot::Sender<()>>>> = LazyLock::new(Mutex::default);
/// What a client tells of somebody: in paths, queries, headers and cookies, and in what handlers say of it.
const PERSONAL: [&str; 6] = [
    "ada.lovelace@example.org",
    "ada.lovelace%40example",
    "user-4f9d2c71",
    "tok_live_8842",
    "sid-55aa",
    "203.0.113.77",
];
const HEADERS: [(&str, &str); 5] = [
    ("authorization", "Bearer tok_live_8842"),
    ("cookie", "session=sid-55aa; mail=ada.lovelace@example.org"),
    ("x-forwarded-for", "203.0.113.77"),
    ("referer", "http://x/?mail=ada.lovelace@example.org"),
    ("user-agent", "user-4f9d2c71/1.0"),
];

#[track_caller]
fn nothing_personal(what: &str, text: &str) {
    for part in PERSONAL {
        let line = text.lines().find(|line| line.contains(part));
        assert_eq!(line, None, "{part} is in {what}");
    }
}

static NEXT: AtomicU64 = AtomicU64::new(0);

fn ticket() -> (u64, oneshot::Receiver<()>) {
    let (id, (sender, receiver)) = (NEXT.fetch_add(1, Relaxed), oneshot::channel());
    BEGUN.lock().expect("no panic").insert(id, sender);
    (id, receiver)
}

fn begun(id: u64) {
    if let Some(sender) = BEGUN.lock().expect("no panic").remove(&id) {
        let _ = sender.send(());
    }
}

#[handler]
fn ok() -> &'static str {
    "ok"
}

#[handler]
fn user(Path(id): Path<String>) -> String {
    id
}

#[handler]
fn fails() -> poem::Result<&'static str> {
    Err(Error::from_string("broken for ada.lovelace@example.org, tok_live_8842", StatusCode::BAD_GATEWAY))
}

#[handler]
fn panics() -> &'static str {
    panic!("on purpose: user-4f9d2c71, sid-55aa")
}

/// Never answers.
#[handler]
async fn hangs(Path(id): Path<u64>) -> &'static str {
    begun(id);
    std::future::pending().await
}

/// Answers after its client has left.
#[handler]
async fn answers_late(Path(id): Path<u64>) -> &'static str {
    begun(id);
    tokio::time::sleep(Duration::from_millis(5)).await;
    "late"
}

/// So many chunks of a kilobyte, and no length.
#[handler]
fn streams(Path(chunks): Path<usize>) -> Response {
    let chunks = futures_util::stream::iter((0..chunks).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1024])));
    Response::builder().body(Body::from_bytes_stream(chunks.then(async |chunk| {
        tokio::task::yield_now().await;
        chunk
    })))
}

#[handler]
fn echo(socket: WebSocket) -> impl IntoResponse {
    socket.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

/// Answers with what it is sent, before all of it has come.
#[handler]
fn repeats(body: Body) -> Body {
    body
}

/// Waits for longer than anybody lets it.
#[handler]
async fn waits() -> &'static str {
    std::future::pending().await
}

struct Running {
    service: MonitoringService,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<()>,
}

/// A server that, once told to stop, gives its connections 50 ms.
async fn serve() -> Running {
    serve_with(MonitoringService::for_test()).await
}

async fn serve_with(service: MonitoringService) -> Running {
    log::install();
    let api = Route::new().at("/users/:id", get(user));
    let timed = get(waits).around(|endpoint, request| async move {
        match timeout(Duration::from_millis(1), endpoint.call(request)).await {
            Ok(answer) => answer.map(IntoResponse::into_response),
            Err(_) => Ok(StatusCode::GATEWAY_TIMEOUT.into_response()),
        }
    });
    let app = Route::new()
        .at("/ok", get(ok))
        .at("/fails", get(fails))
        .at("/panics", get(panics))
        .at("/hangs/:id", get(hangs))
        .at("/slow/:id", get(answers_late))
        .at("/stream/:chunks", get(streams))
        .at("/echo", get(echo))
        .at("/timed", timed)
        .at("/waits", get(waits))
        .at("/repeats", poem::post(repeats))
        .at("/mislabels/:id", get(personal::mislabels))
        .nest("/api", api)
        .at("/metrics", service.metrics_endpoint())
        .with(service.http_middleware())
        // Outside of what counts: a request that takes too long is dropped.
        .around(|endpoint, request| async move {
            if request.uri().path() != "/waits" {
                return endpoint.call(request).await;
            }
            match timeout(Duration::from_millis(1), endpoint.call(request)).await {
                Ok(answer) => answer,
                Err(_) => Ok(StatusCode::GATEWAY_TIMEOUT.into_response()),
            }
        });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TcpAcceptor::from_tokio(listener).expect("an acceptor");
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(async move {
        let until = async {
            let _ = stopped.await;
        };
        let run =
            Server::new_with_acceptor(acceptor).run_with_graceful_shutdown(app, until, Some(Duration::from_millis(50)));
        run.await.expect("the server ends well");
    });
    Running { service, address, stop: Some(stop), ended }
}

/// Requests by method, path and status.
type Ledger = BTreeMap<(String, String, u16), u64>;

fn label(series: &str, name: &str) -> String {
    let start = series.find(&format!("{name}=\"")).expect("the label is there") + name.len() + 2;
    series[start..].split('"').next().expect("quoted").to_owned()
}

fn counted(text: &str) -> Ledger {
    let requests = samples(text).into_iter().filter(|(series, _)| series.starts_with("compozy_http_requests_total{"));
    requests
        .map(|(s, n)| {
            ((label(&s, "method"), label(&s, "path"), label(&s, "status_code").parse().expect("a number")), n as u64)
        })
        .collect()
}

impl Running {
    fn in_flight(&self) -> f64 {
        value(&self.service.render(), "compozy_http_requests_in_flight")
    }

    /// Waits until so many requests are in flight, and each has gone as far as it can: a request is in flight some steps before
    /// its handler begins.
    async fn all_wait(&self, requests: usize) {
        while self.in_flight() < requests as f64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Both workers are here at the same time, so neither is in the middle of a request.
        let meeting = std::sync::Arc::new(std::sync::Barrier::new(2));
        let meet = || {
            let meeting = meeting.clone();
            tokio::spawn(async move { _ = meeting.wait() })
        };
        let (one, other) = (meet(), meet());
        one.await.and(other.await).expect("they meet");
    }

    /// Counted requests by method, path and status.
    fn counted(&self) -> Ledger {
        counted(&self.service.render())
    }

    /// Waits until nothing is in flight: a server learns of a closed connection a little later than its client.
    async fn settle(&self) {
        for _ in 0..2_000 {
            if self.in_flight() == 0.0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("requests stay in flight: {}\n{:?}", self.in_flight(), self.counted());
    }

    #[track_caller]
    fn expect(&self, rows: &[(&str, &str, u16, u64)]) {
        let expected: BTreeMap<_, _> =
            rows.iter().map(|(m, p, s, n)| (((*m).to_owned(), (*p).to_owned(), *s), *n)).collect();
        assert_eq!(self.counted(), expected);
        let total: u64 = rows.iter().map(|row| row.3).sum();
        assert_eq!(sum(&self.service.render(), "compozy_http_request_duration_seconds_count"), total as f64);
        assert_eq!(self.in_flight(), 0.0);
        nothing_personal("the exposition", &self.service.render());
        nothing_personal("the log", &log::text());
    }
}

/// One HTTP/1 connection.
struct Http1(TcpStream);

impl Http1 {
    async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("a connection"))
    }

    async fn send(&mut self, method: &str, path: &str) {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n");
        HEADERS.iter().for_each(|(name, value)| request.extend([name, ": ", value, "\r\n"]));
        request.push_str("\r\n");
        self.0.write_all(request.as_bytes()).await.expect("the request is sent");
    }

    /// The status of an answer; what has come of its body is lost.
    async fn head(&mut self) -> Option<u16> {
        let mut head = Vec::new();
        // The first bytes of the body may come with it.
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if self.0.read_buf(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        String::from_utf8_lossy(&head).split(' ').nth(1)?.parse().ok()
    }

    /// The status and the whole body; nothing when the connection closes first.
    async fn answer(&mut self) -> Option<(u16, Vec<u8>)> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if self.0.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let status = text.split(' ').nth(1)?.parse().ok()?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        loop {
            let body = &bytes[head..];
            let done = match length {
                Some(length) => body.len() >= length,
                None if text.contains("transfer-encoding: chunked") => body.ends_with(b"0\r\n\r\n"),
                None => true,
            };
            if done {
                return Some((status, body.to_vec()));
            }
            if self.0.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }
}

/// One HTTP/2 connection, without TLS.
async fn http2(address: SocketAddr) -> h2::client::SendRequest<bytes::Bytes> {
    let socket = TcpStream::connect(address).await.expect("a connection");
    let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

fn request2(method: &str, path: &str) -> poem::http::Request<()> {
    let request = poem::http::Request::builder().method(method).uri(format!("http://x{path}"));
    let request = HEADERS.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).expect("a request")
}

/// With what the client tells of somebody: a handler that panics, over HTTP/2 and HTTP/1, and a stream that is reset while its
/// handler hangs.
async fn three_without_an_answer(client: &mut Http1, client2: &h2::client::SendRequest<bytes::Bytes>) {
    assert_eq!(ask2(client2, "GET", "/panics?token=tok_live_8842").await, None);
    client.send("GET", "/panics?token=tok_live_8842").await;
    assert_eq!(client.answer().await, None);
    let (id, begun) = ticket();
    let mut ready = client2.clone().ready().await.expect("ready");
    let path = format!("/hangs/{id}?sid=sid-55aa");
    let (_response, mut stream) = ready.send_request(request2("GET", &path), true).expect("sent");
    begun.await.expect("the handler begins");
    stream.send_reset(h2::Reason::CANCEL);
}

/// Sends a request over HTTP/2; the status, or nothing when the stream is reset.
async fn ask2(client: &h2::client::SendRequest<bytes::Bytes>, method: &str, path: &str) -> Option<u16> {
    let mut client = client.clone().ready().await.ok()?;
    let (response, _) = client.send_request(request2(method, path), true).ok()?;
    let response = response.await.ok()?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.ok()?;
        body.flow_control().release_capacity(chunk.len()).ok()?;
    }
    Some(status)
}

/// Panics on purpose are not worth a backtrace each.
fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>().is_none_or(|text| !text.starts_with("on purpose")) {
                before(info);
            }
        }));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_closes_the_connection_and_counts_as_500() {
    quiet_panics();
    let server = serve().await;
    let mut client = Http1::to(server.address).await;
    client.send("GET", "/panics").await;
    assert_eq!(client.answer().await, None, "the client only sees the connection close");
    let client = http2(server.address).await;
    assert_eq!(ask2(&client, "GET", "/panics").await, None);
    server.settle().await;
    server.expect(&[("GET", "unknown", 500, 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http2_reset_counts_as_499() {
    let server = serve().await;
    let client = http2(server.address).await;
    let (id, begun) = ticket();
    let mut ready = client.clone().ready().await.expect("ready");
    let (response, mut stream) = ready.send_request(request2("GET", &format!("/hangs/{id}")), true).expect("sent");
    begun.await.expect("the handler begins");
    assert_eq!(server.in_flight(), 1.0);
    stream.send_reset(h2::Reason::CANCEL);
    drop(response);
    server.settle().await;
    server.expect(&[("GET", "unknown", 499, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_shutdown_counts_as_499() {
    let mut server = serve().await;
    let mut first = Http1::to(server.address).await;
    let (id, begun1) = ticket();
    first.send("GET", &format!("/hangs/{id}")).await;
    let second = http2(server.address).await;
    let (id, begun2) = ticket();
    let mut ready = second.clone().ready().await.expect("ready");
    let _stream = ready.send_request(request2("GET", &format!("/hangs/{id}")), true).expect("sent");
    begun1.await.expect("the handler begins");
    begun2.await.expect("the handler begins");
    assert_eq!(server.in_flight(), 2.0);
    let _ = server.stop.take().map(|stop| stop.send(()));
    timeout(Duration::from_secs(10), &mut server.ended).await.expect("in time").expect("well");
    drop(ready);
    server.settle().await;
    server.expect(&[("GET", "unknown", 499, 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_http1_that_leaves_gets_its_request_counted_once_by_what_the_handler_came_to() {
    let server = serve().await;
    for _ in 0..5 {
        let (id, begun) = ticket();
        let mut client = Http1::to(server.address).await;
        client.send("GET", &format!("/slow/{id}")).await;
        begun.await.expect("the handler begins");
        drop(client);
    }
    server.settle().await;
    server.expect(&[("GET", "/slow/:id", 200, 5)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_in_flight_until_it_is_read_or_dropped_and_its_duration_ends_at_the_head() {
    let server = serve().await;
    // Read to the end.
    let mut client = Http1::to(server.address).await;
    client.send("GET", "/stream/20").await;
    assert_eq!(client.answer().await.map(|(status, _)| status), Some(200));
    server.settle().await;
    // Half read: the client stops reading, then leaves.
    client.send("GET", "/stream/100000").await;
    let mut some = [0; 2048];
    client.0.read_exact(&mut some).await.expect("the head and more");
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(server.in_flight(), 1.0);
    let seconds = sum(&server.service.render(), "compozy_http_request_duration_seconds_sum");
    assert!(seconds < 5.0);
    drop(client);
    server.settle().await;
    // The same over HTTP/2, reset after the head.
    let client = http2(server.address).await;
    let mut ready = client.clone().ready().await.expect("ready");
    let (response, _) = ready.send_request(request2("GET", "/stream/100000"), true).expect("sent");
    let response = response.await.expect("a head");
    assert_eq!(server.in_flight(), 1.0);
    drop(response);
    server.settle().await;
    server.expect(&[("GET", "/stream/:chunks", 200, 3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_is_counted_when_it_is_accepted_and_is_no_longer_in_flight() {
    let server = serve().await;
    let (mut socket, response) =
        tokio_tungstenite::connect_async(format!("ws://{}/echo", server.address)).await.expect("a websocket");
    assert_eq!(response.status().as_u16(), 101);
    for text in ["one", "two"] {
        socket.send(tokio_tungstenite::tungstenite::Message::text(text)).await.expect("sent");
        let echoed = socket.next().await.expect("an answer").expect("a message");
        assert_eq!(echoed.to_text().expect("text"), text);
    }
    assert_eq!(server.in_flight(), 0.0);
    drop(socket);
    server.expect(&[("GET", "/echo", 101, 1)]);
}

/// docs/requests.md, "How a request is counted".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_known_length_ends_at_its_head_though_its_bytes_are_still_to_come() {
    let server = serve().await;
    for (length, in_flight) in [("content-length: 10", 0.0), ("transfer-encoding: chunked", 1.0)] {
        let mut client = Http1::to(server.address).await;
        let half = if in_flight == 0.0 { "12345" } else { "5\r\n12345\r\n" };
        let request = format!("POST /repeats HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n{half}");
        client.0.write_all(request.as_bytes()).await.expect("sent");
        assert_eq!(client.head().await, Some(200));
        assert_eq!(server.in_flight(), in_flight, "{length}");
        let rest = if in_flight == 0.0 { "67890" } else { "0\r\n\r\n" };
        client.0.write_all(rest.as_bytes()).await.expect("sent");
        drop(client);
        server.settle().await;
    }
    server.expect(&[("POST", "/repeats", 200, 2)]);
}
