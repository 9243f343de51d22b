//! The same for the layer of tower, in axum: no personal data in a label or in a log line, whatever becomes of a request.

use std::convert::Infallible;

use axum::{
    Router,
    body::{Body, Bytes},
    error_handling::HandleErrorLayer,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use compozy_monitoring::{Config, metrics};
use tower::timeout::TimeoutLayer;

use super::*;
use crate::common::{figure, size};

/// What is answered, as in `chaos`: method, path, status.
const ANSWERED: [(&str, &str, u16); 9] = [
    ("GET", "/ok", 200),
    ("HEAD", "/ok", 200),
    ("GET", "/api/users/ada.lovelace@example.org", 200),
    ("GET", "/api/users/user-4f9d2c71?token=tok_live_8842", 200),
    ("GET", "/api/nothing/user-4f9d2c71", 404),
    ("GET", "/nothing/ada.lovelace%40example.org/at/all?sid=sid-55aa", 404),
    ("DELETE", "/ok", 405),
    ("GET", "/fails?mail=ada.lovelace@example.org", 502),
    ("GET", "/stream?sid=sid-55aa", 200),
];

/// Hands what the client sent to labels that no compiler sees.
async fn mislabels(Path(id): Path<String>) -> String {
    metrics::counter!("compozy_wire_mislabelled_total", "user_id" => id.clone()).increment(1);
    metrics::gauge!("compozy_http_requests_in_flight", "email" => id.clone()).increment(0.0);
    id
}

async fn hangs(Path(id): Path<u64>) -> &'static str {
    begun(id);
    std::future::pending().await
}

async fn fails() -> (StatusCode, &'static str) {
    (StatusCode::BAD_GATEWAY, "broken for ada.lovelace@example.org, tok_live_8842")
}

async fn panics() -> &'static str {
    panic!("on purpose: user-4f9d2c71, sid-55aa")
}

async fn streams() -> Body {
    let chunk = || Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024]));
    Body::from_stream(futures_util::stream::iter((0..3).map(move |_| chunk())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_layer_of_tower_renders_and_logs_nothing_personal_whatever_becomes_of_a_request() {
    quiet_panics();
    log::install();
    let service = MonitoringService::for_test();
    let timed = (
        HandleErrorLayer::new(async |error: axum::BoxError| (StatusCode::GATEWAY_TIMEOUT, error.to_string())),
        TimeoutLayer::new(Duration::from_millis(1)),
    );
    let app = Router::new()
        .route("/ok", get("ok"))
        .route("/api/users/{id}", get(async |Path(id): Path<String>| id))
        .route("/fails", get(fails))
        .route("/panics", get(panics))
        .route("/hangs/{id}", get(hangs))
        .route("/stream", get(streams))
        .route("/echo", post(async |body: Body| body))
        .route("/timed", get(async || std::future::pending::<&'static str>().await).layer(timed))
        .route("/mislabels/{id}", get(mislabels));
    let app = service.mount_metrics(app).expect("free").layer(service.http_layer());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let ended = tokio::spawn(axum::serve(listener, app).into_future());
    let server = Running { service, address, stop: None, ended: tokio::spawn(async move { _ = ended.await }) };

    let rounds = size(3, 500);
    let mut sent = 0_u64;
    for _ in 0..rounds {
        let mut client = Http1::to(address).await;
        let client2 = http2(address).await;
        for (method, path, status) in ANSWERED {
            client.send(method, path).await;
            let answered = if method == "HEAD" { client.head().await } else { client.answer().await.map(|(s, _)| s) };
            assert_eq!(answered, Some(status), "{method} {path}");
            assert_eq!(ask2(&client2, method, path).await, Some(status), "{method} {path}");
            sent += 2;
        }
        assert_eq!(ask2(&client2, "GET", "/mislabels/ada.lovelace@example.org").await, Some(200));
        assert_eq!(ask2(&client2, "USER-4F9D2C71", "/ok").await, Some(405));
        assert_eq!(ask2(&client2, "GET", "/timed?mail=ada.lovelace@example.org").await, Some(504));
        three_without_an_answer(&mut client, &client2).await;
        sent += 6;
    }
    server.settle().await;
    let text = server.service.render();
    assert_eq!(counted(&text).values().sum::<u64>(), sent);
    nothing_personal("the exposition", &text);
    assert!(!text.contains("USER-4F"), "a method that a client made up");

    // A token of the scrape is somebody's too; and what a service that is off says of it.
    let scrape = MonitoringService::new(Config::default().bearer_token("tok_live_8842")).expect("off");
    let app = scrape.mount_metrics(Router::new()).expect("free");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(axum::serve(listener, app).into_future());
    let mut client = Http1::to(address).await;
    client.send("GET", "/metrics").await;
    assert_eq!(
        client.answer().await.map(|(status, _)| status),
        Some(503),
        "the token is in the headers of all of these"
    );
    nothing_personal("what a configuration shows", &format!("{:?}", Config::default().bearer_token("tok_live_8842")));

    let log = log::text();
    for line in ["Metrics endpoint registered", "Label dropped", "user_id"] {
        assert!(log.contains(line), "no `{line}` in\n{log}");
    }
    nothing_personal("the log", &log);
    figure("requests of tower", sent);
}
