//! The example on tonic, scraped by a real Prometheus from the listener of `serve`.
#![cfg(all(feature = "prometheus", feature = "http-axum"))]

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;

use crate::common::{
    self,
    processes::{Process, Prometheus, built_package, free_port, get, until},
};

/// A call with an empty message, as a gRPC client sends it: a flag, and a length of nothing. Reads the answer to its end.
async fn call(send: &mut SendRequest<Bytes>, method: &str) -> u16 {
    std::future::poll_fn(|cx| send.poll_ready(cx)).await.expect("ready");
    let request =
        Request::post(format!("http://x{method}")).header("content-type", "application/grpc").header("te", "trailers");
    let (response, mut upload) = send.send_request(request.body(()).expect("a request"), false).expect("sent");
    upload.send_data(Bytes::from_static(&[0; 5]), true).expect("sent");
    let response = response.await.expect("an answer");
    let status = response.status().as_u16();
    let mut body = response.into_body();
    while let Some(bytes) = body.data().await {
        let bytes = bytes.expect("a body");
        body.flow_control().release_capacity(bytes.len()).expect("released");
    }
    status
}

#[test]
fn a_real_prometheus_scrapes_the_right_numbers_from_the_example_on_tonic() {
    let (port, metrics) = (free_port(), free_port());
    let server = Command::new(built_package("grpc"))
        .env("COMPOZY_ADDR", format!("127.0.0.1:{port}"))
        .env("COMPOZY_METRICS_PORT", metrics.to_string())
        .env("MONITORING_ENABLED", "true")
        .env_remove("MONITORING_PATH")
        .env_remove("MONITORING_BEARER_TOKEN_FILE")
        .stderr(Stdio::null())
        .spawn()
        .expect("the example starts");
    let _server = Process(server);
    until("the example answers", || get(metrics, "/metrics").is_ok());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let connect = async {
            loop {
                match tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let stream = tokio::time::timeout(Duration::from_secs(20), connect).await.expect("it listens");
        let (mut send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        for _ in 0..20 {
            assert_eq!(call(&mut send, "/grpc.health.v1.Health/Check").await, 200);
        }
        for invented in ["/invented.Service/Method", "/grpc.health.v1.Health/Invented", "/wp-login.php"] {
            assert_eq!(call(&mut send, invented).await, 200, "what gRPC answers");
        }
    });
    let (status, text) = get(metrics, "/metrics").expect("metrics");
    assert_eq!((status, common::promtool(&text).as_str()), (200, ""));
    assert!(!text.contains("nvented") && !text.contains("wp-login"), "{text}");

    let prometheus = Prometheus::scraping("grpc", &[metrics]);
    until("up", || prometheus.number("up") == Some(1.0));
    for (labels, expected) in [
        (r#"method="POST",path="/grpc.health.v1.Health/Check",status_code="200""#, 20.0),
        (r#"method="POST",path="unmatched",status_code="200""#, 3.0),
    ] {
        let query = format!("compozy_http_requests_total{{{labels}}}");
        until(labels, || prometheus.number(&query) == Some(expected));
    }
    assert_eq!(prometheus.number("sum(compozy_http_requests_total)"), Some(23.0));
    assert_eq!(prometheus.number("compozy_http_requests_in_flight"), Some(0.0));
}
