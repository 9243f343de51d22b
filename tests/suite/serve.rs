//! The listener of `serve`: what it answers, that it ends with the service, and that nobody can hold it up.
#![cfg(feature = "serve")]

#[cfg(feature = "prometheus")]
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use compozy_monitoring::{MonitoringService, counter};

/// Long enough to tell an answer from none.
#[cfg(feature = "prometheus")]
const LONG: Duration = Duration::from_secs(20);

#[cfg(feature = "prometheus")]
fn ask(address: SocketAddr, head: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(LONG)).expect("set");
    stream.write_all(format!("{head}\r\nhost: x\r\n\r\n").as_bytes()).expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered, and closed");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).expect("text"), body)
}

#[cfg(feature = "prometheus")]
fn refused(address: SocketAddr) {
    let start = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(start.elapsed() < LONG, "somebody still listens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(feature = "prometheus")]
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

#[cfg(feature = "prometheus")]
#[test]
fn one_line_serves_the_scrape_on_loopback() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let service = MonitoringService::for_test();
    let address = service.serve(0).expect("a port").expect("on");
    assert!(address.ip().is_loopback());
    service.in_scope(|| counter!("compozy_jobs_total").increment(3));
    for path in ["/metrics", "/metrics/", "/metrics?x=1"] {
        let (head, body) = ask(address, &format!("GET {path} HTTP/1.1"));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        assert!(head.contains("nosniff") && head.contains("no-store"), "{head}");
        assert!(String::from_utf8(body).expect("text").contains("compozy_jobs_total 3"));
    }
    let (head, body) = ask(address, "GET /metrics HTTP/1.1\r\naccept-encoding: gzip");
    assert!(head.contains("content-encoding: gzip") && body.starts_with(&[0x1f, 0x8b]), "{head}");
    let (head, body) = ask(address, "HEAD /metrics HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-length: ") && body.is_empty(), "{head}");
    let (head, _) = ask(address, "POST /metrics HTTP/1.1\r\ncontent-length: 0");
    assert!(head.starts_with("HTTP/1.1 405") && head.contains("allow: GET, HEAD"), "{head}");
    let (head, body) = ask(address, "GET / HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert_eq!(body, b"404: the metrics are at /metrics\n");
    let (head, _) = ask(address, "\u{1}\u{2} nonsense");
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    // No middleware of ours is in this process: the families of HTTP are not exported for this listener's own requests.
    assert!(!service.render().contains("compozy_http_requests_total{"));
}

#[cfg(feature = "prometheus")]
#[test]
fn it_ends_with_the_service_and_does_not_keep_it_running() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let service = MonitoringService::for_test();
    let address = service.serve("127.0.0.1:0").expect("a port").expect("on");
    assert!(ask(address, "GET /metrics HTTP/1.1").0.starts_with("HTTP/1.1 200"));
    // A connection that was accepted before is answered, with the reason.
    let mut early = TcpStream::connect(address).expect("connected");
    early.write_all(b"GET /metrics HTTP/1.1\r\n").expect("written");
    std::thread::sleep(Duration::from_millis(100));
    service.shutdown();
    refused(address);
    early.write_all(b"host: x\r\n\r\n").expect("written");
    let mut answer = String::new();
    early.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("503: monitoring was shut down"), "{answer}");

    let service = MonitoringService::for_test();
    let address = service.serve(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port").expect("on");
    assert_eq!(service.serve(address).expect_err("taken").kind(), std::io::ErrorKind::AddrInUse);
    drop(service);
    refused(address);
}

#[cfg(feature = "prometheus")]
#[test]
fn clients_that_say_nothing_hold_a_bounded_number_of_connections_and_nobody_for_ever() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let service = MonitoringService::for_test();
    let address = service.serve(0).expect("a port").expect("on");
    let mut silent: Vec<_> = (0..32).map(|_| TcpStream::connect(address).expect("connected")).collect();
    std::thread::sleep(Duration::from_millis(200));
    let (done, scraped) = std::sync::mpsc::channel();
    let scrape = std::thread::spawn(move || {
        let answer = ask(address, "GET /metrics HTTP/1.1");
        done.send(()).expect("awaited");
        answer
    });
    assert!(scraped.recv_timeout(Duration::from_millis(300)).is_err(), "all places are taken");
    silent.pop();
    assert!(scrape.join().expect("answered").0.starts_with("HTTP/1.1 200"));
    // A service that stops while all places are taken stops all the same.
    silent.push(TcpStream::connect(address).expect("connected"));
    std::thread::sleep(Duration::from_millis(100));
    service.shutdown();
    refused(address);
}

#[test]
fn while_monitoring_is_off_nothing_is_opened() {
    let off = MonitoringService::new(None).expect("off");
    counter!("compozy_jobs_total").increment(1);
    assert_eq!(off.serve("256.0.0.1:nonsense").expect("not even looked at"), None);
}

#[cfg(feature = "prometheus")]
#[test]
fn a_runtime_that_cannot_serve_is_an_error_and_no_panic() {
    let service = MonitoringService::for_test();
    let error = service.serve(0).expect_err("no runtime");
    assert!(error.to_string().contains("`#[tokio::main]`"), "{error}");
    let bare = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let error = bare.block_on(async { service.serve(0) }).expect_err("without drivers");
    assert!(error.to_string().contains("drivers"), "{error}");
    let error = runtime().block_on(async { service.serve("nowhere") }).expect_err("no address");
    assert!(error.to_string().starts_with("`nowhere`: "), "{error}");
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("its address");
    let error = runtime().block_on(async { service.serve(taken) }).expect_err("taken");
    assert!(error.to_string().starts_with(&format!("{taken}: ")), "{error}");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
