//! Requests of every kind, over both protocols, on purpose in each other's way: what is counted is what the drivers kept
//! in their ledger.

use std::sync::{Arc, atomic::AtomicBool};

use super::*;
use crate::common::{figure, grouped, size};

compozy_monitoring::families! {
    /// Recorded in services that start and stop beside.
    counter BESIDE = "compozy_wire_beside_total" { queue: str };
}

fn enter(ledger: &mut Ledger, method: &str, path: &str, status: u16) {
    *ledger.entry((method.to_owned(), path.to_owned(), status)).or_default() += 1;
}

/// Requests that are answered, as (method, path, label of the method, label of the path, status).
pub const ANSWERED: [(&str, &str, &str, &str, u16); 10] = [
    ("GET", "/ok", "GET", "/ok", 200),
    ("HEAD", "/ok", "HEAD", "/ok", 200),
    ("GET", "/api/users/ada.lovelace@example.org", "GET", "/api/users/:id", 200),
    ("GET", "/api/users/user-4f9d2c71?token=tok_live_8842", "GET", "/api/users/:id", 200),
    ("GET", "/api/nothing/user-4f9d2c71", "GET", "/api", 404),
    ("GET", "/nothing/ada.lovelace%40example.org/at/all?sid=sid-55aa", "GET", "unmatched", 404),
    ("DELETE", "/ok", "DELETE", "/ok", 405),
    ("BREW", "/ok", "OTHER", "/ok", 405),
    ("GET", "/fails?mail=ada.lovelace@example.org", "GET", "/fails", 502),
    ("GET", "/stream/3", "GET", "/stream/:chunks", 200),
];

/// Routes that never answer have no template that could have been seen.
const UNKNOWN: &str = "unknown";

async fn drive1(address: SocketAddr, requests: usize) -> Ledger {
    let mut ledger = Ledger::new();
    let mut client = Http1::to(address).await;
    for i in 0..requests {
        match i % 200 {
            // A websocket.
            100 => {
                let url = format!("ws://{address}/echo?token=tok_live_8842");
                let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a websocket");
                socket.send(tokio_tungstenite::tungstenite::Message::text("one")).await.expect("sent");
                socket.next().await.expect("an answer").expect("a message");
                enter(&mut ledger, "GET", "/echo", 101);
            }
            // Timeouts, inside and outside of what counts.
            101 => {
                client.send("GET", "/timed").await;
                assert_eq!(client.answer().await.map(|(status, _)| status), Some(504));
                enter(&mut ledger, "GET", "/timed", 504);
            }
            102 => {
                client.send("GET", "/waits").await;
                assert_eq!(client.answer().await.map(|(status, _)| status), Some(504));
                enter(&mut ledger, "GET", UNKNOWN, 499);
            }
            // The connection is gone after a panic, and after a client that leaves.
            98 | 198 => {
                client.send("GET", "/panics").await;
                assert_eq!(client.answer().await, None);
                enter(&mut ledger, "GET", UNKNOWN, 500);
                client = Http1::to(address).await;
            }
            99 | 199 => {
                let (id, begun) = ticket();
                client.send("GET", &format!("/slow/{id}")).await;
                begun.await.expect("the handler begins");
                enter(&mut ledger, "GET", "/slow/:id", 200);
                client = Http1::to(address).await;
            }
            97 | 197 => {
                client.send("GET", "/stream/10000").await;
                let mut some = [0; 512];
                client.0.read_exact(&mut some).await.expect("the head and more");
                enter(&mut ledger, "GET", "/stream/:chunks", 200);
                client = Http1::to(address).await;
            }
            _ => {
                let (method, path, label, template, status) = ANSWERED[i % ANSWERED.len()];
                client.send(method, path).await;
                let answered = match method {
                    "HEAD" => client.head().await,
                    _ => client.answer().await.map(|(status, _)| status),
                };
                assert_eq!(answered, Some(status), "{method} {path}");
                enter(&mut ledger, label, template, status);
            }
        }
    }
    ledger
}

async fn drive2(address: SocketAddr, requests: usize) -> Ledger {
    let mut ledger = Ledger::new();
    let client = http2(address).await;
    for i in 0..requests {
        match i % 100 {
            48 | 98 => {
                assert_eq!(ask2(&client, "GET", "/panics").await, None);
                enter(&mut ledger, "GET", UNKNOWN, 500);
            }
            49 | 99 => {
                let (id, begun) = ticket();
                let mut ready = client.clone().ready().await.expect("ready");
                let (response, mut stream) =
                    ready.send_request(request2("GET", &format!("/hangs/{id}")), true).expect("sent");
                begun.await.expect("the handler begins");
                stream.send_reset(h2::Reason::CANCEL);
                drop(response);
                enter(&mut ledger, "GET", UNKNOWN, 499);
            }
            50 => {
                assert_eq!(ask2(&client, "GET", "/timed").await, Some(504));
                enter(&mut ledger, "GET", "/timed", 504);
            }
            51 => {
                assert_eq!(ask2(&client, "GET", "/waits").await, Some(504));
                enter(&mut ledger, "GET", UNKNOWN, 499);
            }
            // Reset after the head, while the body streams.
            52 => {
                let mut ready = client.clone().ready().await.expect("ready");
                let (response, _) = ready.send_request(request2("GET", "/stream/10000"), true).expect("sent");
                drop(response.await.expect("a head"));
                enter(&mut ledger, "GET", "/stream/:chunks", 200);
            }
            _ => {
                let (method, path, label, template, status) = ANSWERED[i % ANSWERED.len()];
                assert_eq!(ask2(&client, method, path).await, Some(status), "{method} {path}");
                enter(&mut ledger, label, template, status);
            }
        }
    }
    ledger
}

/// Scrapes until it is told to stop; what it reads never falls.
async fn scrape(address: SocketAddr, stop: Arc<AtomicBool>) -> Ledger {
    let mut ledger = Ledger::new();
    let mut last = 0.0;
    while !stop.load(Relaxed) {
        let mut client = Http1::to(address).await;
        client.send("GET", "/metrics").await;
        let (status, body) = client.answer().await.expect("an answer");
        enter(&mut ledger, "GET", "/metrics", status);
        let total = sum(&String::from_utf8(body).expect("UTF-8"), "compozy_http_requests_total");
        assert!(total >= last, "{total} after {last}");
        last = total;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ledger
}

/// Starts services of its own, records in them and stops them; how many.
fn start_and_stop(stop: &AtomicBool) -> u64 {
    let mut services = 0;
    while !stop.load(Relaxed) {
        let service = MonitoringService::for_test();
        service.in_scope(|| (0..100).for_each(|_| BESIDE.with("q").increment(1)));
        assert_eq!(value(&service.render(), r#"compozy_wire_beside_total{queue="q"}"#), 100.0);
        service.shutdown();
        service.in_scope(|| BESIDE.with("q").increment(1));
        services += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    services
}

/// Histogram counts, and the bucket of everything, by method and path.
fn durations(text: &str, part: &str) -> BTreeMap<(String, String), u64> {
    let name = format!("compozy_http_request_duration_seconds_{part}{{");
    let of_part =
        samples(text).into_iter().filter(|(s, _)| s.starts_with(&name) && (part == "count" || s.contains("+Inf")));
    of_part.map(|(s, n)| ((label(&s, "method"), label(&s, "path")), n as u64)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn requests_of_every_kind_are_counted_exactly() {
    // A stream of small chunks waits for an acknowledgement that the kernel delays: more drivers, not faster ones.
    let drivers = size(8, 64);
    quiet_panics();
    let mut server = serve().await;
    let address = server.address;
    let requests = size(20_000, 1_000_000);
    let stop = Arc::new(AtomicBool::new(false));
    let scrapers: Vec<_> = (0..2).map(|_| tokio::spawn(scrape(address, stop.clone()))).collect();
    let beside: Vec<_> = (0..2)
        .map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || start_and_stop(&stop))
        })
        .collect();
    let drivers = (0..drivers).map(|i| {
        tokio::spawn(async move {
            if i % 2 == 0 {
                drive1(address, requests / drivers).await
            } else {
                drive2(address, requests / drivers).await
            }
        })
    });
    let mut expected = Ledger::new();
    let mut add = |ledger: Ledger| ledger.into_iter().for_each(|(key, n)| *expected.entry(key).or_default() += n);
    let drivers: Vec<_> = drivers.collect();
    for driver in drivers {
        add(driver.await.expect("the driver ends well"));
    }
    stop.store(true, Relaxed);
    let mut scrapes = 0;
    for scraper in scrapers {
        let ledger = scraper.await.expect("the scraper ends well");
        scrapes += ledger.values().sum::<u64>();
        add(ledger);
    }
    let services: u64 = beside.into_iter().map(|thread| thread.join().expect("no panic")).sum();

    // What hangs when the server is stopped by force.
    let mut held: Vec<Http1> = Vec::new();
    for _ in 0..20 {
        let (id, begun) = ticket();
        let mut client = Http1::to(address).await;
        client.send("GET", &format!("/hangs/{id}")).await;
        begun.await.expect("the handler begins");
        held.push(client);
    }
    let _ = server.stop.take().map(|stop| stop.send(()));
    timeout(Duration::from_secs(20), &mut server.ended).await.expect("in time").expect("well");
    add(Ledger::from([(("GET".to_owned(), UNKNOWN.to_owned(), 499), 20)]));

    server.settle().await;
    let total: u64 = expected.values().sum();
    assert_eq!(total, requests as u64 + scrapes + 20);
    assert!(scrapes > 0 && services > 0, "{scrapes} scrapes, {services} services");
    assert_eq!(server.counted(), expected);
    let text = server.service.render();
    let mut expected_durations = BTreeMap::new();
    for ((method, path, _), n) in expected {
        *expected_durations.entry((method, path)).or_insert(0) += n;
    }
    assert_eq!(durations(&text, "count"), expected_durations);
    assert_eq!(durations(&text, "bucket"), expected_durations);
    assert_eq!(value(&text, "compozy_http_requests_in_flight"), 0.0);
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), 0.0);
    assert!(!text.contains("compozy_wire_beside_total"), "recorded for another service");
    nothing_personal("the exposition", &text);
    nothing_personal("the log", &log::text());
    figure("requests", grouped(requests as u64));
    figure("scrapes beside", grouped(scrapes));
    figure("services started and stopped beside", grouped(services));
    figure("series compared", counted(&text).len());
    figure("requests missing or too many", 0);
}
