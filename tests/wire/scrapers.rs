//! Scrapers of every kind: each gets a right answer or a clean close, renders are shared, others are served.

use std::{
    collections::BTreeSet,
    io::Read,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use compozy_monitoring::metrics;

use super::*;
use crate::{
    common::{figure, grouped, resident, size},
    log::Gate,
};

/// A registry that takes a while: this many histograms, a kilobyte of text each.
fn fill(service: &MonitoringService, series: usize) {
    service.in_scope(|| {
        for i in 0..series {
            compozy_monitoring::histogram!("compozy_wire_large_seconds", "queue" => i.to_string()).record(0.5);
        }
    });
}

/// Where an answer ends: status, head and body of a connection that the server closes.
async fn whole(client: &mut Http1) -> (u16, String, Vec<u8>) {
    let mut bytes = Vec::new();
    client.0.read_to_end(&mut bytes).await.expect("a clean close");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII").to_ascii_lowercase();
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, head, bytes[end + 4..].to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_scrapers_at_once_share_a_render() {
    const SCRAPERS: usize = 100;
    let (rounds, series) = size((1, 200), (20, 2_000));
    let mut most = 0;
    for _ in 0..rounds {
        let server = serve().await;
        fill(&server.service, series);
        // The first render is held up where it reports a sample that is no number.
        let gate = Gate::close("wire_shared_gate_seconds").await;
        server.service.in_scope(|| metrics::histogram!("wire_shared_gate_seconds").record(f64::NAN));
        let ask = async || {
            let mut client = Http1::to(server.address).await;
            client.send("GET", "/metrics").await;
            client
        };
        let mut clients = vec![ask().await];
        gate.reached().await;
        for _ in 0..SCRAPERS {
            clients.push(ask().await);
        }
        server.all_wait(SCRAPERS + 1).await;
        // From here on no two renders are the same.
        let (stop, service) = (Arc::new(AtomicBool::new(false)), server.service.clone());
        let stopped = stop.clone();
        let counting = std::thread::spawn(move || {
            service.in_scope(|| {
                let counter = metrics::counter!("wire_moving_total");
                while !stopped.load(Relaxed) {
                    counter.increment(1);
                }
            });
        });
        gate.open();
        let mut seen = BTreeSet::new();
        for mut client in clients {
            let (status, body) = client.answer().await.expect("an answer");
            assert_eq!(status, 200);
            let text = String::from_utf8(body).expect("UTF-8");
            let lines = |name: &'static str| text.lines().filter_map(move |line| line.strip_prefix(name));
            assert_eq!(lines("compozy_wire_large_seconds_count{").count(), series);
            seen.insert(lines("wire_moving_total ").next().map(str::to_owned));
        }
        stop.store(true, Relaxed);
        counting.join().expect("no panic");
        // One for the first, one for all others; one more where a scraper was counted in and not yet in line.
        assert!((1..=3).contains(&seen.len()), "{} renders for {SCRAPERS} scrapers", seen.len());
        most = most.max(seen.len());
    }
    figure("scrapers at once", SCRAPERS + 1);
    figure("rounds", rounds);
    figure("renders for all of them, at the most", most);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_scrape_gets_the_same_samples_in_its_format() {
    let server = serve().await;
    server.service.in_scope(|| metrics::counter!("wire_there_total").increment(7));
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PROTOBUF: &str =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    const ACCEPT: [(&[u8], &str); 7] = [
        (b"", TEXT),
        (b"text/plain", TEXT),
        (b"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", TEXT),
        (b"application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
        (b"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", PROTOBUF),
        (b"image/png;q=x, ,;;", TEXT),
        (b"\xff\xfe\x80", TEXT),
    ];
    const ENCODING: [(&[u8], bool); 10] = [
        (b"", false),
        (b"gzip", true),
        (b"identity", false),
        (b"br, zstd", false),
        (b"gzip;q=0", false),
        (b"*", true),
        (b"deflate, GZIP;q=0.3", true),
        (b"gzip;q=", false),
        (b"gzip\xff", false),
        (b", ,;q=1,,", false),
    ];
    let mut scrapes = 0;
    for (accept, content_type) in ACCEPT {
        for (encoding, zipped) in ENCODING {
            for (method, version) in [("GET", "1.1"), ("GET", "1.0"), ("HEAD", "1.1"), ("HEAD", "1.0")] {
                let mut client = Http1::to(server.address).await;
                let mut request =
                    format!("{method} /metrics HTTP/{version}\r\nHost: x\r\nConnection: close\r\n").into_bytes();
                for (name, value) in [(&b"Accept: "[..], accept), (b"Accept-Encoding: ", encoding)] {
                    if !value.is_empty() {
                        request.extend([name, value, b"\r\n"].concat());
                    }
                }
                request.extend(b"\r\n");
                client.0.write_all(&request).await.expect("sent");
                let (status, head, body) = whole(&mut client).await;
                let what = String::from_utf8_lossy(&request).into_owned() + &head;
                assert_eq!(status, 200, "{what}");
                let content_type_line = format!("content-type: {}", content_type.to_ascii_lowercase());
                assert!(head.lines().any(|line| line == content_type_line), "{what}");
                assert!(!head.contains("transfer-encoding"), "{what}");
                assert_eq!(head.contains("content-encoding: gzip"), zipped, "{what}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.expect("a length").parse().expect("a number");
                if method == "HEAD" {
                    assert!(body.is_empty() && length > 100, "{what}");
                } else {
                    assert_eq!(body.len(), length, "{what}");
                    let mut plain = Vec::new();
                    if zipped {
                        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain).expect("gzip");
                    } else {
                        plain = body;
                    }
                    if content_type == PROTOBUF {
                        // The name is there, and 7 as a double.
                        let has = |bytes: &[u8]| plain.windows(bytes.len()).any(|part| part == bytes);
                        assert!(has(b"wire_there_total") && has(&7f64.to_le_bytes()), "{what}");
                    } else {
                        let text = String::from_utf8(plain).expect("UTF-8");
                        assert_eq!(value(&text, "wire_there_total"), 7.0);
                        assert_eq!(
                            (text.ends_with('\n'), text.ends_with("# EOF\n")),
                            (true, content_type == OPENMETRICS)
                        );
                    }
                }
                scrapes += 1;
            }
        }
    }
    let client = http2(server.address).await;
    for method in ["GET", "HEAD"] {
        assert_eq!(ask2(&client, method, "/metrics").await, Some(200));
    }
    server.settle().await;
    let half = scrapes / 2 + 1;
    server.expect(&[("GET", "/metrics", 200, half), ("HEAD", "/metrics", 200, half)]);
    figure("kinds of scrape", scrapes + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scrapers_that_are_slow_or_leave_cost_others_nothing() {
    let server = serve().await;
    fill(&server.service, size(500, 2_000));
    let address = server.address;
    let text = server.service.render().len() as u64;
    let mut other = Http1::to(address).await;
    let mut scrapes = 0_u64;
    let mut latencies = Vec::new();
    let before = resident();
    let mut most = 0;
    for _ in 0..size(2, 10) {
        let mut slow = Vec::new();
        for i in 0..100 {
            let mut client = Http1::to(address).await;
            client.send("GET", "/metrics").await;
            scrapes += 1;
            match i % 4 {
                // Leaves at once, in the head, in the middle.
                0 => continue,
                1 => drop(client.0.read_exact(&mut [0; 20]).await.expect("some")),
                2 => drop(client.0.read_exact(&mut [0; 50_000]).await.expect("some")),
                _ => slow.push(client),
            }
        }
        for _ in 0..size(50, 2_500) {
            let start = Instant::now();
            other.send("GET", "/ok").await;
            let answer = timeout(Duration::from_secs(20), other.answer()).await.expect("others are served");
            assert_eq!(answer.map(|(status, _)| status), Some(200));
            latencies.push(start.elapsed());
            for client in &mut slow {
                client.0.read_exact(&mut [0; 1]).await.expect("a byte");
            }
        }
        most = most.max(resident().saturating_sub(before));
        // One of the slow ones reads on to the end.
        let mut last = slow.pop().expect("one");
        let mut read = 0;
        while read + 1_000 < text {
            let mut part = [0; 8_192];
            let n = last.0.read(&mut part).await.expect("some") as u64;
            assert!(n > 0, "closed after {read} of {text} bytes");
            read += n;
        }
        drop(slow);
        server.settle().await;
    }
    server.expect(&[("GET", "/metrics", 200, scrapes), ("GET", "/ok", 200, latencies.len() as u64)]);
    // Each round holds 25 texts that are being read and leaves 75 that nobody reads to the end: a hundred a round would be
    // ten times this in the long form. In the short one other tests of this process take memory too.
    let bound = 100 * text + size(64 << 20, 0);
    assert!(most < bound, "{most} bytes more than before, for texts of {text}");
    latencies.sort_unstable();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize].as_micros();
    figure("scrapers", grouped(scrapes));
    figure("bytes of text each", grouped(text));
    figure("MiB more than before at the most", most >> 20);
    figure("other requests", latencies.len());
    figure("their latency in us", format!("p50 {}, p99 {}, longest {}", at(0.5), at(0.99), at(1.0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scraper_that_reads_a_byte_at_a_time_harms_nobody() {
    let server = serve().await;
    let mut slow = Http1::to(server.address).await;
    slow.send("GET", "/metrics").await;
    let mut byte = [0; 1];
    slow.0.read_exact(&mut byte).await.expect("a byte");
    let mut other = Http1::to(server.address).await;
    for _ in 0..50 {
        other.send("GET", "/ok").await;
        let answer = timeout(Duration::from_secs(5), other.answer()).await.expect("others are served");
        assert_eq!(answer.map(|(status, _)| status), Some(200));
        other.send("GET", "/metrics").await;
        let answer = timeout(Duration::from_secs(5), other.answer()).await.expect("other scrapers are served");
        assert_eq!(answer.map(|(status, _)| status), Some(200));
        slow.0.read_exact(&mut byte).await.expect("a byte");
    }
}
