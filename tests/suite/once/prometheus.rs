//! A real Prometheus scrapes the example, and reads back every label value. (Known faults 3, 4 and 6.)
//!
//! Needs `prometheus` and `promtool` on the PATH: `scripts/test` installs them.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use crate::common;

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use common::{
    processes::{Prometheus, example, free_port, get, request, serve, until},
    promtool, samples, value,
};
use compozy_monitoring::{MonitoringService, counter, metrics};
use poem::Route;

#[test]
fn a_real_prometheus_scrapes_the_right_numbers_from_the_example() {
    let port = free_port();
    let _server = serve(port, &[("MONITORING_ENABLED", "true")]);
    let ready = value(
        &get(port, "/metrics").expect("metrics").1,
        r#"compozy_http_requests_total{method="GET",path="/health",status_code="200"}"#,
    );
    for id in 0..20 {
        assert_eq!(get(port, &format!("/api/v1/users/{id}")).expect("an answer").0, 200);
    }
    for (method, path, status) in [
        ("GET", "/api/v1/users/ada", 400),
        ("POST", "/api/v1/workflows", 202),
        ("GET", "/api/v1/workflows", 200),
        ("DELETE", "/api/v1/workflows", 405),
        ("BREW", "/api/v1/workflows", 405),
        ("GET", "/wp-login.php", 404),
        ("GET", "/.env", 404),
        ("GET", "/api/v1/users/1/2/3", 404),
    ] {
        assert_eq!(request(method, port, path).expect("an answer").0, status, "{method} {path}");
    }
    assert_eq!(get(port, "/api/v1/events").expect("a stream").1.matches("data:").count(), 5);

    let (status, text) = get(port, "/metrics").expect("metrics");
    assert_eq!(status, 200);
    let requests = |labels: &str| value(&text, &format!("compozy_http_requests_total{{{labels}}}"));
    // With poem-openapi's service nested there, what it does not know is its mount's, as poem reports it.
    let below_the_mount = f64::from(u8::from(cfg!(feature = "openapi")));
    let mount =
        samples(&text).get(r#"compozy_http_requests_total{method="GET",path="/api/v1",status_code="404"}"#).copied();
    assert_eq!(mount.unwrap_or_default(), below_the_mount);
    for (labels, expected) in [
        (r#"method="GET",path="/api/v1/users/:id",status_code="200""#, 20.0),
        (r#"method="GET",path="/api/v1/users/:id",status_code="400""#, 1.0),
        (r#"method="POST",path="/api/v1/workflows",status_code="202""#, 1.0),
        (r#"method="DELETE",path="/api/v1/workflows",status_code="405""#, 1.0),
        (r#"method="OTHER",path="/api/v1/workflows",status_code="405""#, 1.0),
        (r#"method="GET",path="unmatched",status_code="404""#, 3.0 - below_the_mount),
        (r#"method="GET",path="/api/v1/events",status_code="200""#, 1.0),
        (r#"method="GET",path="/metrics",status_code="200""#, 1.0),
        (r#"method="GET",path="/health",status_code="200""#, ready),
    ] {
        assert_eq!(requests(labels), expected, "{labels}");
    }
    assert!(!text.contains("wp-login") && !text.contains("BREW") && !text.contains("ada"), "{text}");
    assert_eq!(value(&text, "compozy_task_items_processed_total"), 3.0);
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 1.0);
    let total = common::sum(&text, "compozy_http_requests_total");
    assert_eq!(common::sum(&text, "compozy_http_request_duration_seconds_count"), total);
    assert_eq!(promtool(&text), "");

    let prometheus = Prometheus::scraping("example", &[port]);
    until("up", || prometheus.number("up") == Some(1.0));
    let scraped = |query: &str| prometheus.number(query).unwrap_or(f64::NAN);
    until("all requests are there", || scraped(r#"sum(compozy_http_requests_total{path!="/metrics"})"#) == total - 1.0);
    assert!(scraped("sum(compozy_http_requests_total)") >= total);
    let p95 = scraped("histogram_quantile(0.95, sum by (le) (compozy_http_request_duration_seconds_bucket))");
    assert!(p95 > 0.0 && p95 <= 0.25, "{p95}");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        scraped(&format!(r#"compozy_build_info{{version="{version}",commit_hash!="",rust_version=~"1[.].*"}}"#)),
        1.0
    );
    assert_eq!(scraped("compozy_task_items_processed_total"), 3.0);
    until("uptime grows", || scraped("compozy_uptime_seconds_total") > 0.0);
}

#[test]
fn the_same_binary_with_the_variable_unset_does_nothing() {
    let port = free_port();
    let _server = serve(port, &[]);
    assert_eq!(get(port, "/api/v1/users/7").expect("an answer").1, "{\"id\":7}\n");
    let (status, text) = get(port, "/metrics").expect("an answer");
    assert_eq!((status, text.as_str()), (503, "503: monitoring is disabled; MONITORING_ENABLED=true enables it\n"));
}

#[test]
fn a_bad_configuration_ends_the_example_with_1_and_says_why() {
    let output = Command::new(example()).env("MONITORING_ENABLED", "maybe").output().expect("the example runs");
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("MONITORING_ENABLED: `maybe` is not a boolean; accepted: 1, t, true"), "{log}");
}

/// What the example logs until it is stopped.
fn log(variables: &[(&str, &str)]) -> (u16, String) {
    let port = free_port();
    let mut command = Command::new(example());
    command.env("COMPOZY_ADDR", format!("127.0.0.1:{port}")).env_remove("MONITORING_ENABLED");
    let server = command.env_remove("RUST_LOG").envs(variables.iter().copied()).stderr(Stdio::piped()).spawn().unwrap();
    until("the example answers", || get(port, "/health").is_ok_and(|(status, _)| status == 200));
    assert!(Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success());
    (port, String::from_utf8(server.wait_with_output().unwrap().stderr).unwrap())
}

#[test]
fn the_first_lines_of_the_log_say_where_to_look_and_what_is_off() {
    let (port, on) = log(&[("MONITORING_ENABLED", "true"), ("MONITORING_PATH", "/internal/metrics")]);
    assert!(on.contains(&format!("Listening on http://127.0.0.1:{port}: try http://127.0.0.1:{port}/api/v1/users/7")));
    assert!(
        on.contains(&format!("Metrics are at http://127.0.0.1:{port}/internal/metrics")) && !on.contains("No metrics")
    );
    let documentation = format!("Documentation is at http://127.0.0.1:{port}/docs");
    assert_eq!(on.contains(&documentation), cfg!(feature = "openapi"), "{on}");
    let (port, off) = log(&[]);
    assert!(off.contains("No metrics: monitoring is disabled; MONITORING_ENABLED=true enables it"), "{off}");
    assert!(off.contains(&format!("try http://127.0.0.1:{port}/")) && !off.contains("Metrics are"), "{off}");
}

/// The five steps of `docs/operations.md`, "Roll back", as far as they are the application's.
#[cfg(feature = "project-file")]
#[test]
fn a_rollback_leaves_the_application_and_takes_the_metrics() {
    let folder = common::processes::Folder::new("rollback");
    let file = folder.0.join("compozy.yaml");
    let with = |text: &str| std::fs::write(&file, format!("monitoring:\n  enabled: {text}\n")).expect("a file");
    let config = file.display().to_string();
    let port = free_port();
    let answers = || ["/api/v1/users/7", "/metrics"].map(|path| get(port, path).expect("an answer").0);

    with("true");
    let on = serve(port, &[("COMPOZY_CONFIG", &config), ("MONITORING_ENABLED", "true")]);
    let prometheus = Prometheus::scraping("rollback", &[port]);
    until("Prometheus scrapes it", || prometheus.number("up") == Some(1.0));
    assert_eq!(answers(), [200, 200]);
    drop(on);
    // 1 and 3: the variable alone, and a restart. It wins over the file.
    let off = serve(port, &[("COMPOZY_CONFIG", &config), ("MONITORING_ENABLED", "false")]);
    assert_eq!(answers(), [200, 503]);
    drop(off);
    // Without the variable the file decides: step 2 is what makes it last.
    let on = serve(port, &[("COMPOZY_CONFIG", &config)]);
    assert_eq!(answers(), [200, 200]);
    drop(on);
    with("false");
    let _off = serve(port, &[("COMPOZY_CONFIG", &config)]);
    assert_eq!(answers(), [200, 503]);
    // Until steps 4 and 5 Prometheus goes on asking, and calls it down.
    until("Prometheus calls it down", || prometheus.number("up") == Some(0.0));
}

#[cfg(feature = "project-file")]
#[test]
fn the_project_file_moves_the_endpoint_and_sigterm_ends_the_example_well() {
    let folder = common::processes::Folder::new("project");
    let file = folder.0.join("compozy.yaml");
    std::fs::write(&file, "name: x\nmonitoring:\n  enabled: true\n  path: /internal/metrics\n").expect("a file");
    let port = free_port();
    let mut server = serve(port, &[("COMPOZY_CONFIG", &file.display().to_string())]);
    assert_eq!(get(port, "/metrics").expect("an answer").0, 404);
    assert_eq!(get(port, "/internal/metrics").expect("an answer").0, 200);
    let id = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    assert_eq!(server.0.wait().expect("it ends").code(), Some(0));
}

#[test]
fn every_label_value_reads_back_the_same_through_prometheus() {
    let mut values: Vec<String> = [
        "plain",
        "a\"b",
        "\"",
        "\\",
        "\\\\",
        "\\\\\\",
        "\\n",
        "\\\\n",
        "\\\"",
        "a\\",
        "{a=\"b\"}",
        "a,b=\"c\"",
        "} 5",
        "# HELP x",
        " lead and trail ",
        "é",
        "日本語",
        "\u{202e}right to left",
        "🦀",
        "'",
        "`",
        "%41",
        "a\u{fffd}b",
        "\u{2028}",
    ]
    .map(str::to_owned)
    .to_vec();
    // Every pair of the characters that matter.
    let special = ['"', '\\', 'n', '{', '}', ',', '=', ' ', '#'];
    values.extend(special.iter().flat_map(|a| special.iter().map(move |b| format!("x{a}{b}"))));

    let service = MonitoringService::for_test();
    service.in_scope(|| {
        metrics::describe_counter!("compozy_foreign_roundtrip_total", "Values that come back.");
        metrics::describe_histogram!("foreign_roundtrip_seconds", "Values that come back.");
        for value in &values {
            counter!("compozy_foreign_roundtrip_total", "queue" => value.clone()).increment(1);
            metrics::histogram!("foreign_roundtrip_seconds", "queue" => value.clone()).record(0.5);
            ROUNDTRIP.with(value).increment(1);
        }
        // These are changed on the way, and must not make the scrape unreadable.
        for value in ["line\nbreak", "nul\0", "\r\n", "\u{7f}\u{85}"] {
            counter!("compozy_foreign_roundtrip_total", "queue" => value).increment(1);
            ROUNDTRIP.with(value).increment(1);
        }
    });
    for changed in ["line\u{fffd}break", "nul\u{fffd}", "\u{fffd}\u{fffd}"] {
        values.push(changed.to_owned());
    }
    assert_eq!(promtool(&service.render()), "");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let port = free_port();
    let app = Route::new().at("/metrics", service.metrics_endpoint());
    let listener = poem::listener::TcpListener::bind(("127.0.0.1", port));
    runtime.spawn(poem::Server::new(listener).run(app));
    let prometheus = Prometheus::scraping("roundtrip", &[port]);
    until("up", || prometheus.number("up") == Some(1.0));

    let expected: BTreeSet<&str> = values.iter().map(String::as_str).collect();
    for name in ["compozy_roundtrip_total", "compozy_foreign_roundtrip_total", "foreign_roundtrip_seconds_count"] {
        let series = prometheus.api(&format!("/api/v1/series?match[]={name}"));
        let read: BTreeSet<&str> =
            series.as_array().expect("a list").iter().filter_map(|s| s["queue"].as_str()).collect();
        let changed = name.starts_with("foreign");
        let expected: BTreeSet<&str> = expected
            .iter()
            .copied()
            .filter(|value| !changed || !value.contains('\u{fffd}') || *value == "a\u{fffd}b")
            .collect();
        assert_eq!(read, expected, "{name}");
    }
}

compozy_monitoring::families! {
    /// Values that come back.
    counter ROUNDTRIP = "compozy_roundtrip_total" { queue: str };
}
