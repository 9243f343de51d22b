//! What nobody would send who means well: the text stays readable for promtool and for a real Prometheus, and sums to
//! what was sent.
//!
//! Needs `prometheus` and `promtool` on the PATH: `scripts/test` installs them.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use crate::common;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{
    figure, grouped,
    processes::{Prometheus, free_port, until},
    promtool, samples, size, sum, value,
};
use compozy_monitoring::{MonitoringService, counter, metrics};
use metrics::Label;
use poem::{Endpoint, EndpointExt, IntoResponse, Route, get, handler, listener::TcpAcceptor, web::Path};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

compozy_monitoring::families! {
    /// Free text.
    counter TEXT = "compozy_hostile_text_total" { queue: str };
    /// Numbers of every kind.
    histogram NUMBERS = "compozy_hostile_numbers_seconds" { queue: str };
    /// Levels of every kind.
    gauge LEVELS = "compozy_hostile_level" { queue: str };
    /// Near the end of its range.
    counter WRAPS = "compozy_hostile_wraps_total";
    /// Through the whole range.
    counter HIGH = "compozy_hostile_high_total";
}

#[handler]
fn echo(Path(text): Path<String>) -> String {
    text
}

/// A request line that somebody made up; nothing in it is to become a label.
fn line(i: usize) -> Vec<u8> {
    let with = |method: &str, path: &str| format!("{method} {path} HTTP/1.1").into_bytes();
    match i % 16 {
        0 => with(&format!("M{i}"), "/users/7"),
        1 => with(&format!("!#$%&'*+-.^_`|~{i}"), "/users/7"),
        2 => with("get", &format!("/users/{i}")),
        3 => with("GET", &format!("/users/%22%5c%0a%00{i}")),
        4 => with("GET", &format!("/users/%ff%fe{i}")),
        5 => with("GET", &format!("/users/../../{i}/./..//etc/passwd")),
        6 => with("GET", &format!("/files/%2e%2e%2f%2e%2e/{i}")),
        7 => with("GET", &format!("/files/{i}/{}", "x".repeat(8_192))),
        8 => with("POST", &format!("/wp-admin/{i}.php?%00=%ff&q='%20or%201=1--")),
        9 => [b"GET /users/\xff\xfe\xc3\x28".as_slice(), i.to_string().as_bytes(), b" HTTP/1.1"].concat(),
        10 => with("GET", &format!("/users/é🦀\u{202e}{i}")),
        11 => with("GET", &format!("http://evil.example/users/{i}")),
        12 => with("OPTIONS", "*"),
        13 => with("GET", &format!("/users/{{}}\"{i}\\")),
        14 => with("GET", &format!("//users//{i};a=b#fragment")),
        _ => [b"G\x00T /".as_slice(), i.to_string().as_bytes(), b" HTTP/9.9"].concat(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invented_methods_and_paths_make_no_series_and_are_counted_as_they_were_answered() {
    let service = MonitoringService::for_test();
    // What got as far as the application, by status.
    let reached = Arc::new(Mutex::new(BTreeMap::<u16, u64>::new()));
    let seen = reached.clone();
    let app =
        Route::new().at("/users/:id", get(echo)).at("/files/*path", get(echo)).with(service.http_middleware()).around(
            move |endpoint, request| {
                let seen = seen.clone();
                async move {
                    let response = endpoint.call(request).await.map(IntoResponse::into_response);
                    let response = response.unwrap_or_else(|error| error.into_response());
                    *seen.lock().expect("no panic").entry(response.status().as_u16()).or_default() += 1;
                    Ok(response)
                }
            },
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TcpAcceptor::from_tokio(listener).expect("an acceptor");
    tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(app));

    const CLIENTS: usize = 8;
    let requests = size(4_000, 100_000);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            tokio::spawn(async move {
                let mut statuses = BTreeMap::<u16, u64>::new();
                let mut socket = None;
                for i in (client..requests).step_by(CLIENTS) {
                    let mut open = match socket.take() {
                        Some(open) => open,
                        None => TcpStream::connect(address).await.expect("a connection"),
                    };
                    open.write_all(&[line(i).as_slice(), b"\r\nHost: x\r\n\r\n"].concat()).await.expect("sent");
                    let (status, stays) = timeout(Duration::from_secs(20), answer(&mut open)).await.expect("no hang");
                    *statuses.entry(status).or_default() += 1;
                    socket = stays.then_some(open);
                }
                statuses
            })
        })
        .collect();
    let mut answered = BTreeMap::<u16, u64>::new();
    for client in clients {
        client.await.expect("a client ends well").into_iter().for_each(|(k, n)| *answered.entry(k).or_default() += n);
    }
    let reached = reached.lock().expect("no panic").clone();
    let total: u64 = reached.values().sum();
    // What HTTP itself refuses never reaches the application: it is answered 400.
    let refused = answered.values().sum::<u64>() - total;
    assert_eq!(answered.values().sum::<u64>(), requests as u64);
    assert!(total > requests as u64 / 2 && refused > 0, "{reached:?} of {answered:?}");

    let text = service.render();
    let counted: Vec<(String, f64)> =
        samples(&text).into_iter().filter(|(s, _)| s.starts_with("compozy_http_requests_total{")).collect();
    for (status, n) in &reached {
        let of_status = counted.iter().filter(|(s, _)| s.contains(&format!("status_code=\"{status}\"")));
        assert_eq!(of_status.map(|(_, n)| n).sum::<f64>(), *n as f64, "{status}");
    }
    assert_eq!(sum(&text, "compozy_http_requests_total"), total as f64);
    assert_eq!(sum(&text, "compozy_http_request_duration_seconds_count"), total as f64);
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0);
    let label = |series: &str, name: &str| {
        series.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).expect("a label").to_owned()
    };
    let paths: BTreeSet<String> = counted.iter().map(|(series, _)| label(series, "path")).collect();
    let methods: BTreeSet<String> = counted.iter().map(|(series, _)| label(series, "method")).collect();
    let set = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
    assert!(paths.is_subset(&set(&["/files/*path", "/users/:id", "unmatched"])), "{paths:?}");
    assert!(methods.is_subset(&set(&["GET", "OPTIONS", "OTHER", "POST"])), "{methods:?}");
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), 0.0);
    assert_eq!(promtool(&text), "");
    figure("invented requests", grouped(requests as u64));
    figure("series of them", counted.len());
    figure("refused by HTTP itself", grouped(refused));
}

/// The status of an answer, and whether the connection stays; 400 for one that closes without.
async fn answer(socket: &mut TcpStream) -> (u16, bool) {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let status: u16 = head.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return (status, !head.contains("connection: close"));
            }
        }
        match socket.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return (400, false),
            Ok(_) => {}
        }
    }
}

const PIECES: [&str; 24] = [
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{202e}",
    "\u{200f}",
    "\u{2028}",
    "\u{feff}",
    "{",
    "}",
    "=",
    ",",
    "é",
    "🦀",
    "\\n",
    "\\\"",
    "\"} 1\n# HELP x y\n",
    "%00",
    " ",
    "\t",
    "",
];

/// A value that somebody made up: no two are the same.
fn invented(i: usize) -> String {
    let piece = |i: usize| PIECES[i % PIECES.len()];
    let text = format!("{}{i}{}{}", piece(i), piece(i / PIECES.len()), piece(i / 7));
    if i.is_multiple_of(50) { text + &piece(i / 50).repeat(4_000) } else { text }
}

const NAMES: [&str; 12] =
    ["http.server", "1st", "9.lives", "a-b", "a b", "é", "a\nb", "{}", "a\"b", "", "x:y", "\u{202e}z"];
const LABEL_NAMES: [&str; 10] = ["le", "quantile", "__name__", "", "1a", "a-b", "é", "a b\n", "plain", "job"];
const NUMBER: [f64; 10] =
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.0, 0.0, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1e-300];

#[test]
fn hostile_names_labels_and_numbers_read_back_through_promtool_and_prometheus() {
    let service = MonitoringService::for_test();
    let calls = size(10_000, 100_000_usize);
    service.in_scope(|| {
        metrics::describe_counter!("hostile.described", "first\n\"help\" \\ \u{0}");
        metrics::describe_counter!("hostile.described", "second");
        metrics::counter!("hostile.described").increment(1);
        for i in 0..calls {
            let text = invented(i);
            TEXT.with(&text).increment(1);
            counter!("compozy_hostile_open_total", "queue" => text.clone()).increment(1);
            metrics::counter!("compozy_hostile_refused_total", text.clone() => "x").increment(1);
            let labels = vec![Label::new(LABEL_NAMES[i % LABEL_NAMES.len()], text.clone()), Label::new("n", "1")];
            metrics::counter!(format!("hostile_{}_total", NAMES[i % NAMES.len()]), labels.clone()).increment(1);
            metrics::counter!(format!("{}_hostile", NAMES[i % NAMES.len()])).increment(1);
            metrics::histogram!("hostile_wait_seconds", labels).record(0.5);
            // One name as two kinds: the first one keeps it.
            metrics::gauge!("hostile.described").set(9);
            NUMBERS.with("n").record(NUMBER[i % NUMBER.len()]);
            metrics::histogram!("hostile_plain").record(NUMBER[i % NUMBER.len()]);
        }
        for (i, number) in NUMBER.into_iter().enumerate() {
            LEVELS.with(&i.to_string()).set(number);
        }
        NUMBERS.with("duration").record(Duration::MAX);
        NUMBERS.with("duration").record(Duration::ZERO);
        // As an `AtomicU64` of `metrics` does, a counter begins anew behind its end: to Prometheus that is a reset.
        WRAPS.increment(u64::MAX - 5);
        WRAPS.increment(10);
        HIGH.absolute(u64::MAX);
    });
    let text = service.render();

    // Every series once, every call somewhere.
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    let all = samples(&text);
    assert_eq!(all.len(), lines, "a series is printed twice");
    let sent = calls as f64;
    for name in [
        "compozy_hostile_text_total",
        "compozy_hostile_open_total",
        "compozy_hostile_refused_total",
        "hostile_wait_seconds_count",
    ] {
        assert_eq!(sum(&text, name), sent, "{name}");
    }
    let of = |is: &dyn Fn(&str) -> bool| -> f64 {
        let name = |series: &str| series.split('{').next().expect("a name").to_owned();
        all.iter().filter(|(series, _)| is(&name(series))).map(|(_, n)| n).sum()
    };
    assert_eq!(of(&|name| name.starts_with("hostile_") && name.ends_with("_total")), sent);
    assert_eq!(of(&|name| name.ends_with("_hostile")), sent);
    let tenth = sent / NUMBER.len() as f64;
    // No number is a fault; infinity has a bucket and no quantile.
    assert_eq!(value(&text, r#"compozy_hostile_numbers_seconds_count{queue="n"}"#), sent - tenth);
    assert_eq!(value(&text, r#"compozy_hostile_numbers_seconds_bucket{queue="n",le="+Inf"}"#), sent - tenth);
    let finite = value(&text, "hostile_plain_count");
    assert!(finite == sent - 3.0 * tenth, "{finite}");
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), sent + tenth + 3.0 * tenth);
    assert_eq!(value(&text, "compozy_monitoring_rejected_labels_total"), sent);
    assert_eq!(value(&text, "hostile_described"), 1.0);
    assert!(text.contains("# HELP hostile_described first\\n\"help\" \\\\ \u{fffd}\n"));
    assert!(!text.contains("hostile_described second"));
    assert_eq!(value(&text, "compozy_hostile_wraps_total"), 4.0);
    assert!(text.contains("compozy_hostile_high_total 18446744073709551615\n"));
    assert!(value(&text, r#"compozy_hostile_level{queue="0"}"#).is_nan());
    assert_eq!(value(&text, r#"compozy_hostile_level{queue="2"}"#), f64::NEG_INFINITY);

    // promtool reads it, and has no remark but the names that foreign families have.
    let remarks = promtool(&text);
    let ours: Vec<&str> = remarks.lines().filter(|line| line.starts_with("compozy_hostile")).collect();
    assert!(ours.is_empty() && !remarks.contains("no help"), "{remarks}");

    // A real Prometheus reads the same numbers.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let port = free_port();
    let app = Route::new().at("/metrics", service.metrics_endpoint());
    runtime.spawn(poem::Server::new(poem::listener::TcpListener::bind(("127.0.0.1", port))).run(app));
    let prometheus = Prometheus::scraping("hostile", &[port]);
    until("up", || prometheus.number("up") == Some(1.0));
    assert_eq!(prometheus.number("scrape_samples_scraped"), Some(lines as f64));
    for name in ["compozy_hostile_text_total", "compozy_hostile_open_total", "hostile_wait_seconds_count"] {
        assert_eq!(prometheus.number(&format!("sum({name})")), Some(sent), "{name}");
    }
    assert_eq!(prometheus.number(r#"sum({__name__=~"hostile_.*_total"})"#), Some(sent));
    // And the same values: the first two thousand, cut and without control characters.
    let clean = |text: String| -> String {
        text.chars().take(128).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    };
    let mut kept = BTreeSet::from(["other".to_owned()]);
    for text in (0..calls).map(invented).map(clean) {
        if kept.len() <= 2_000 {
            kept.insert(text);
        }
    }
    let series = prometheus.api("/api/v1/series?match[]=compozy_hostile_text_total");
    let read = series.as_array().expect("a list").iter().filter_map(|series| series["queue"].as_str());
    assert_eq!(read.map(str::to_owned).collect::<BTreeSet<_>>(), kept);
    assert_eq!(prometheus.number("compozy_hostile_wraps_total"), Some(4.0));
    assert_eq!(prometheus.number("compozy_hostile_high_total"), Some(u64::MAX as f64));
    assert!(prometheus.number(r#"compozy_hostile_level{queue="0"}"#).is_some_and(f64::is_nan));
    figure("invented label values, label names and numbers", grouped(calls as u64));
    figure("samples in the text, all read by Prometheus", grouped(lines as u64));
}
