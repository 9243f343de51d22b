//! Shut down during a scrape and under load: answers, never a hang or a panic, and nothing is recorded after it.
//!
//! Of the ways in which monitoring itself can fail, a panic at each point of the storage is in `src/support/failpoint.rs`, the health
//! that falls and comes back in `src/storage/diagnostics.rs`, a thread for a render that cannot be started in
//! `src/http/core/shared_render.rs`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize},
};

use compozy_monitoring::{Config, metrics};

use super::*;
use crate::{
    chaos::ANSWERED,
    common::{figure, grouped, size},
    log::Gate,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_that_began_before_a_shutdown_is_answered_and_one_after_it_gets_503() {
    let rounds = size(1, 40);
    for _ in 0..rounds {
        let server = serve().await;
        let gate = Gate::close("wire_shutdown_gate_seconds").await;
        server.service.in_scope(|| metrics::histogram!("wire_shutdown_gate_seconds").record(f64::NAN));
        let ask = async || {
            let mut client = Http1::to(server.address).await;
            client.send("GET", "/metrics").await;
            client
        };
        // One in its render, ten that wait for the next.
        let mut early = vec![ask().await];
        gate.reached().await;
        for _ in 0..10 {
            early.push(ask().await);
        }
        server.all_wait(11).await;
        server.service.shutdown();
        // The render is still held up: these are answered all the same.
        for _ in 0..10 {
            let answer = timeout(Duration::from_secs(20), ask().await.answer()).await.expect("no hang");
            assert_eq!(answer, Some((503, b"503: monitoring was shut down\n".to_vec())));
        }
        gate.open();
        for mut client in early {
            let answer = timeout(Duration::from_secs(20), client.answer()).await.expect("no hang");
            let (status, body) = answer.expect("an answer");
            assert_eq!(status, 200);
            assert!(String::from_utf8(body).expect("UTF-8").contains("compozy_monitoring_health"));
        }
    }
    figure("shutdowns during a scrape", rounds);
    figure("scrapes answered 200, then 503", format!("{} {}", 11 * rounds, 10 * rounds));
}

/// Sends requests until it is told to stop, and scrapes between them. Says how many rounds it has done.
async fn drive(address: SocketAddr, two: bool, stop: Arc<AtomicBool>, rounds: Arc<AtomicUsize>) {
    let mut client1 = Http1::to(address).await;
    let client2 = http2(address).await;
    let mut ended = false;
    while !stop.load(Relaxed) {
        for (method, path, _, _, status) in ANSWERED {
            let answered = if two {
                ask2(&client2, method, path).await
            } else {
                client1.send(method, path).await;
                if method == "HEAD" { client1.head().await } else { client1.answer().await.map(|(status, _)| status) }
            };
            assert_eq!(answered, Some(status), "the application goes on");
        }
        let scraped = if two {
            ask2(&client2, "GET", "/metrics").await
        } else {
            client1.send("GET", "/metrics").await;
            client1.answer().await.map(|(status, _)| status)
        };
        assert!(scraped == Some(503) || scraped == Some(200) && !ended, "{scraped:?}");
        ended = scraped == Some(503);
        rounds.fetch_add(1, Relaxed);
    }
}

/// The process's one service, which only this test starts: its storage goes on, so what was recorded can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_under_load_hurts_no_request_and_nothing_is_recorded_after_it() {
    const DRIVERS: usize = 4;
    let start = || MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let lives = size(4, 40);
    let (mut recorded, mut silent) = (0, 0);
    for _ in 0..lives {
        let server = serve_with(start()).await;
        let stop = Arc::new(AtomicBool::new(false));
        let done: Vec<_> = (0..DRIVERS).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let drivers: Vec<_> = (0..DRIVERS)
            .map(|i| tokio::spawn(drive(server.address, i % 2 == 0, stop.clone(), done[i].clone())))
            .collect();
        let more = async |rounds| {
            let before: Vec<usize> = done.iter().map(|n| n.load(Relaxed)).collect();
            while done.iter().zip(&before).any(|(now, before)| now.load(Relaxed) < before + rounds) {
                assert!(!drivers.iter().any(tokio::task::JoinHandle::is_finished), "a driver failed");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let requests = || done.iter().map(|n| n.load(Relaxed) as u64 * (ANSWERED.len() as u64 + 1)).sum::<u64>();
        more(5).await;
        let at_least = requests();
        server.service.shutdown();
        assert!(!server.service.is_enabled());
        // What had begun before it has ended after two more rounds.
        more(2).await;
        let after = start();
        let counts = |text: &str| -> u64 { counted(text).values().sum() };
        let first = counts(&after.render());
        assert!(first >= recorded + at_least, "{first} after {recorded} and {at_least} more");
        let before = requests();
        more(5).await;
        silent += requests() - before;
        let text = after.render();
        assert_eq!(counts(&text), first, "recorded after the shutdown");
        assert_eq!(value(&text, "compozy_monitoring_errors_total"), 0.0);
        stop.store(true, Relaxed);
        for driver in drivers {
            driver.await.expect("the driver ends well");
        }
        assert_eq!(value(&after.render(), "compozy_http_requests_in_flight"), 0.0);
        recorded = first;
        after.shutdown();
    }
    figure("shutdowns under load", lives);
    figure("requests recorded before", grouped(recorded));
    figure("requests after, of which none is recorded", grouped(silent));
}
