//! The token of a scrape: who does not show it learns nothing, on every framework, over real sockets.
#![cfg(all(feature = "prometheus", any(feature = "http-axum", feature = "http-poem", feature = "serve")))]

use crate::common;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use common::log_of;
use compozy_monitoring::{Config, MonitoringService};

const TOKEN: &str = "s3cret-._~+/==";

/// The scrape on each framework of this build.
async fn served(service: &MonitoringService) -> Vec<(&'static str, SocketAddr)> {
    let mut places = Vec::new();
    #[cfg(feature = "http-axum")]
    {
        use axum::Router;

        let scrape = service.metrics_service();
        let apps = [
            ("axum", service.mount_metrics(Router::new()).expect("free").layer(service.http_layer())),
            ("tower", Router::new().route_service("/metrics", scrape)),
        ];
        for (name, app) in apps {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            places.push((name, listener.local_addr().expect("an address")));
            tokio::spawn(axum::serve(listener, app).into_future());
        }
    }
    #[cfg(feature = "http-poem")]
    {
        use poem::{EndpointExt, Route, listener::Acceptor, listener::Listener};

        let app = service.metrics_endpoint().mount(Route::new()).expect("free").with(service.http_middleware());
        let acceptor = poem::listener::TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port");
        places.push(("poem", *acceptor.local_addr()[0].as_socket_addr().expect("TCP")));
        tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(app));
    }
    #[cfg(feature = "serve")]
    if let Some(address) = service.serve(0).expect("a port") {
        places.push(("serve", address));
    }
    places
}

/// Status, head and body.
fn ask(address: SocketAddr, method: &str, headers: &[&str]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{method} /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered, and closed");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).expect("text").to_ascii_lowercase();
    (head[9..12].parse().expect("a status"), head, body)
}

fn on() -> MonitoringService {
    MonitoringService::new(Config::default().enabled(true).bearer_token(TOKEN)).expect("on")
}

#[test]
fn who_does_not_show_the_token_gets_401_and_no_word_more_on_every_framework() {
    own_process!();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let service = on();
    let log = log_of(|| {
        let places = runtime.block_on(served(&service));
        assert!(!places.is_empty());
        let right = format!("authorization: Bearer {TOKEN}");
        let basic = format!("authorization: Basic {TOKEN}");
        let longer = format!("{right}x");
        for (name, address) in &places {
            for headers in [
                &[][..],
                &["authorization:"],
                &["authorization: Bearer"],
                &["authorization: Bearer "],
                &["authorization: Bearer wrong"],
                &["authorization: Bearer s3cret-._~+/="],
                &[&longer],
                &[&basic],
                &[TOKEN_ALONE],
                &[&right, &right],
                &["authorization: Bearer wrong", &right],
                &[&right, "authorization: Basic eA=="],
                &["proxy-authorization: Bearer s3cret-._~+/=="],
                &["x-authorization: Bearer s3cret-._~+/=="],
                &["accept-encoding: gzip", "authorization: Bearer wrong"],
            ] {
                for method in ["GET", "HEAD", "POST", "OPTIONS", "BREW"] {
                    let (status, head, body) = ask(*address, method, headers);
                    let what = format!("{name}: {method} {headers:?}: {head}");
                    assert_eq!(status, 401, "{what}");
                    assert!(head.contains("www-authenticate: bearer\r\n"), "{what}");
                    assert!(body.is_empty() && head.contains("content-length: 0\r\n"), "{what}");
                    assert!(!head.contains("content-encoding") && !head.contains("s3cret"), "{what}");
                    // axum itself says which methods a route has.
                    assert!(
                        !head.contains("allow:") || *name == "axum" && !["GET", "HEAD"].contains(&method),
                        "{what}"
                    );
                }
            }
            for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
                let header = format!("Authorization: {scheme} {TOKEN}");
                let (status, head, body) = ask(*address, "GET", &[&header]);
                assert_eq!(status, 200, "{name}: {head}");
                assert!(String::from_utf8(body).expect("text").contains("compozy_uptime_seconds_total"), "{name}");
            }
            let (status, head, body) = ask(*address, "GET", &[&right, "accept-encoding: gzip"]);
            assert_eq!((status, &body[..2]), (200, &[0x1f, 0x8b][..]), "{name}: {head}");
            let (status, head, body) = ask(*address, "HEAD", &[&right]);
            assert!(status == 200 && body.is_empty() && !head.contains("content-length: 0\r\n"), "{name}: {head}");
            assert_eq!(ask(*address, "POST", &[&right]).0, 405, "{name}");
        }
        // The reason of a 503 is behind the token too. The listener ends with the service.
        service.shutdown();
        for (name, address) in places.iter().filter(|(name, _)| *name != "serve") {
            assert_eq!(ask(*address, "GET", &[]).0, 401, "{name}");
            let (status, _, body) = ask(*address, "GET", &[&right]);
            assert_eq!((status, &body[..]), (503, &b"503: monitoring was shut down\n"[..]), "{name}");
        }
    });
    assert!(log.contains("Monitoring stopped") && !log.contains("s3cret") && !log.contains("wrong"), "{log}");
    assert!(!format!("{service:?}").contains("s3cret"));
}

/// The token without a scheme.
const TOKEN_ALONE: &str = "authorization: s3cret-._~+/==";

#[cfg(feature = "serve")]
#[test]
fn the_listener_says_nothing_of_other_paths_either() {
    own_process!();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let service = on();
    let address = service.serve(0).expect("a port").expect("on");
    let ask = |headers: &str| {
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.write_all(format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    };
    let answer = ask("");
    assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("/metrics"), "{answer}");
    let answer = ask(&format!("authorization: Bearer {TOKEN}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 404") && answer.ends_with("the metrics are at /metrics\n"), "{answer}");
}

/// Off from the start: the token first, then the reason. Where its file is not there, the application runs on and lets nobody
/// in.
#[test]
fn while_monitoring_is_off_the_token_is_asked_for_and_a_missing_file_stops_nothing() {
    own_process!();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let right = format!("authorization: Bearer {TOKEN}");
    let off = MonitoringService::new(Config::default().bearer_token(TOKEN)).expect("off");
    for (name, address) in runtime.block_on(served(&off)) {
        assert_eq!(ask(address, "GET", &[]).0, 401, "{name}");
        let (status, _, body) = ask(address, "GET", &[&right]);
        assert!(status == 503 && body.starts_with(b"503: monitoring is disabled"), "{name}");
    }
    let refused = Config::default().enabled(true).bearer_token("two words");
    let error = MonitoringService::new(refused).expect_err("refused").to_string();
    assert!(error.starts_with("monitoring configuration, bearer_token: the token has white space"), "{error}");
    let log = log_of(|| {
        let off = MonitoringService::new(Config::default().bearer_token("two words")).expect("off");
        for (name, address) in runtime.block_on(served(&off)) {
            for header in [&right, "authorization: Bearer two words"] {
                assert_eq!(ask(address, "GET", &[header]).0, 401, "{name}");
            }
        }
    });
    assert!(log.contains("Nobody may scrape") && !log.contains("two words"), "{log}");
}

/// What a file holds, and what Prometheus makes of the same file.
#[cfg(any(feature = "http-axum", feature = "http-poem"))]
#[test]
fn a_real_prometheus_shows_the_token_of_its_file_and_is_refused_without() {
    use common::processes::{Folder, Prometheus, free_port, request, serve_built, until};

    let folder = Folder::new("token");
    let (ours, theirs) = (folder.0.join("ours"), folder.0.join("theirs"));
    std::fs::write(&ours, format!("{TOKEN}\n")).expect("written");
    std::fs::write(&theirs, format!("{TOKEN}\n")).expect("written");
    let example = if cfg!(feature = "http-poem") { "server" } else { "axum" };
    let port = free_port();
    let variables = [("MONITORING_ENABLED", "true"), ("MONITORING_BEARER_TOKEN_FILE", ours.to_str().expect("UTF-8"))];
    let _server = serve_built(example, port, &variables);
    // Read at the start: the file may go.
    std::fs::remove_file(&ours).expect("removed");
    assert_eq!(request("GET", port, "/metrics").expect("an answer"), (401, String::new()));
    let job = |name: &str, more: &str| {
        format!("- job_name: {name}\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n{more}")
    };
    let file = format!("  authorization: {{credentials_file: '{}'}}\n", theirs.display());
    let text = format!("scrape_configs:\n{}{}", job("shown", &file), job("bare", ""));
    let prometheus = Prometheus::configured("token", &text, &[]);
    until("it is scraped with the token", || prometheus.number("up{job=\"shown\"}") == Some(1.0));
    until("it is refused without", || prometheus.number("up{job=\"bare\"}") == Some(0.0));
    let targets = prometheus.api("/api/v1/targets").to_string();
    assert!(targets.contains("server returned HTTP status 401 Unauthorized"), "{targets}");
    let query = "compozy_http_requests_total{path=\"/metrics\",status_code=\"401\"}";
    until("a refusal is a request like any other", || prometheus.number(query).is_some_and(|n| n >= 1.0));
}

/// The example ends, and says what is wrong with which file; see `a_bad_configuration_ends_the_example_with_1_and_says_why`.
#[cfg(any(feature = "http-axum", feature = "http-poem"))]
#[test]
fn a_file_that_is_not_there_ends_the_example_with_the_names_of_variable_and_file() {
    let example = common::processes::built(if cfg!(feature = "http-poem") { "server" } else { "axum" });
    let output = std::process::Command::new(example)
        .env("COMPOZY_ADDR", "127.0.0.1:0")
        .env("MONITORING_ENABLED", "true")
        .env("MONITORING_BEARER_TOKEN_FILE", "/nowhere/token")
        .output()
        .expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("MONITORING_BEARER_TOKEN_FILE: the file `/nowhere/token` cannot be read"), "{said}");
}
