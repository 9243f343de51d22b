//! Several instances of the example under real Prometheus servers: sums, shards, federation, remote write, and the formula
//! of `docs/many-instances.md`.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use crate::common;

use common::{
    processes::{Prometheus, free_port, get, request, serve, until},
    samples,
};

const PAGE: &str = include_str!("../../../docs/many-instances.md");

/// The YAML block under a heading.
fn block(heading: &str) -> &'static str {
    let section = PAGE.split("\n## ").find(|section| section.starts_with(heading)).expect("the heading");
    section.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block")
}

/// A configuration of the page, with these in the place of its targets.
fn with_targets(text: &str, ports: &[u16]) -> String {
    let (before, rest) = text.split_once("targets: [").expect("targets");
    let (_, after) = rest.split_once(']').expect("their end");
    let list: Vec<String> = ports.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
    format!("{before}targets: [{}]{after}", list.join(", "))
}

#[test]
fn sums_over_instances_shards_and_stores_are_the_driver_s() {
    let ports = [(); 4].map(|()| free_port());
    let _servers = ports.map(|port| serve(port, &[("MONITORING_ENABLED", "true")]));
    let mut sent = 0.0;
    for (i, port) in ports.iter().enumerate() {
        for _ in 0..=i * 10 {
            assert_eq!(get(*port, "/api/v1/users/7").expect("an answer").0, 200);
            sent += 1.0;
        }
    }
    let users = r#"compozy_http_requests_total{path="/api/v1/users/:id"}"#;
    let (sum, count) = (format!("sum({users})"), format!("count({users})"));

    // One Prometheus that has them all, and writes on to a store.
    let store = Prometheus::configured("store", "", &["--web.enable-remote-write-receiver"]);
    let write =
        block("An existing store").replace("https://metrics.example.com", &format!("http://127.0.0.1:{}", store.port));
    let all = with_targets("scrape_configs:\n- job_name: compozy\n  static_configs: [{targets: []}]\n", &ports);
    let all = Prometheus::configured("all", &(all + &write), &[]);
    until("one has all", || all.number(&sum) == Some(sent) && all.number(&count) == Some(4.0));
    until("the store has all", || store.number(&sum) == Some(sent) && store.number(&count) == Some(4.0));
    // Each instance tells its own gauge, the scrape in flight.
    assert_eq!(all.number("sum(compozy_http_requests_in_flight)"), Some(4.0));
    assert_eq!(store.number("count(scrape_duration_seconds)"), None, "only what the page's configuration keeps");

    // Two that share them.
    let sharding = with_targets(block("Sharding"), &ports);
    let shards = ["0", "1"].map(|shard| {
        let text = sharding.replace(r#"regex: "0""#, &format!("regex: \"{shard}\""));
        Prometheus::configured(&format!("shard-{shard}"), &text, &[])
    });
    let instances = |shard: &Prometheus| shard.number("count(up)").unwrap_or(0.0);
    until("each instance is in one shard", || instances(&shards[0]) + instances(&shards[1]) == 4.0);
    let of = |shard: &Prometheus| shard.number(&sum).unwrap_or(0.0);
    until("both together have all", || of(&shards[0]) + of(&shards[1]) == sent);

    // One above them.
    let federation = with_targets(block("Federation"), &[shards[0].port, shards[1].port])
        .replace(r#"{__name__=~"job:compozy_.*"}"#, r#"{__name__="compozy_http_requests_total"}"#);
    let above = Prometheus::configured("above", &federation, &[]);
    until("the one above has all", || above.number(&sum) == Some(sent) && above.number(&count) == Some(4.0));
}

#[test]
fn the_formula_of_the_page_is_what_an_instance_has() {
    let port = free_port();
    let _server = serve(port, &[("MONITORING_ENABLED", "true")]);
    for (method, path) in [
        ("GET", "/api/v1/users/7"),
        ("GET", "/api/v1/users/ada"),
        ("GET", "/api/v1/workflows"),
        ("POST", "/api/v1/workflows"),
        ("GET", "/nowhere"),
    ] {
        request(method, port, path).expect("an answer");
    }
    let text = get(port, "/metrics").expect("a scrape").1;
    let lines = |name: &str| samples(&text).into_iter().filter(|(series, _)| series.starts_with(name)).count();
    // Users with 200 and 400, the list, the start, nowhere, and the health that `serve` asked for.
    assert_eq!(lines("compozy_http_requests_total{"), 2 + 1 + 1 + 1 + 1);
    assert_eq!(lines("compozy_http_request_duration_seconds"), (1 + 2 + 1 + 1) * 14);
    let other = |series: &str| {
        let example = series.starts_with("compozy_task_");
        series.starts_with("compozy_") && !series.starts_with("compozy_http_request") && !example
            || series == "compozy_http_requests_in_flight"
    };
    let others = samples(&text).into_iter().filter(|(series, _)| other(series)).count();
    assert_eq!(others, if cfg!(feature = "temporal") { 10 } else { 8 }, "{text}");

    // The table is the formula.
    let mut rows = 0;
    for row in PAGE.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit()) {
        let cells: Vec<u64> = row
            .split('|')
            .filter(|cell| !cell.trim().is_empty())
            .map(|cell| cell.trim().replace(',', "").parse().expect("a number"))
            .collect();
        let [templates, methods, statuses, one, ten, hundred] = cells[..] else { panic!("{row}") };
        let expected = templates * methods * statuses + templates * methods * 14 + 8;
        assert_eq!((one, ten, hundred), (expected, expected * 10, expected * 100), "{row}");
        rows += 1;
    }
    assert_eq!(rows, 4);
}
