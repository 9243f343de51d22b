//! An allocator that records metrics: each record of its own is counted or left out, and nothing hangs or calls itself
//! without end.
#![cfg(feature = "prometheus")]

use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use compozy_monitoring::{Config, MonitoringService, counter, describe_counter, gauge, histogram, metrics};
use hooked_allocator::Hooked;

compozy_monitoring::families! {
    pub list ALL;
    /// Without labels.
    counter PLAIN = "compozy_alloc_plain_total";
    /// Closed.
    gauge CLOSED = "compozy_alloc_closed" { kind: Kind { A = "a", B = "b" } };
    /// Free text.
    histogram TEXT = "compozy_alloc_text_seconds" { queue: str };
    /// Free text, removed again and again.
    counter REMOVED = "compozy_alloc_removed_total" { queue: str };
    /// Closed, removed again and again.
    counter GONE = "compozy_alloc_gone_total" { kind: Kind };
    /// What the application does meanwhile.
    counter WORK = "compozy_alloc_work_total" { queue: str };
}

/// What the allocator records.
static RECORDS: AtomicU8 = AtomicU8::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);

fn record() {
    let what = RECORDS.load(SeqCst);
    if what > 0 {
        CALLS.fetch_add(1, SeqCst);
    }
    match what {
        1 => PLAIN.increment(1),
        2 => CLOSED.with(Kind::B).increment(1),
        3 => TEXT.with("alloc").record(0.5),
        4 => counter!("compozy_alloc_literal_total", "queue" => "alloc").increment(1),
        5 => gauge!("compozy_alloc_level").set(1),
        // A summary, whose sketch grows under a lock.
        6 => histogram!("foreign_alloc").record(CALLS.load(SeqCst) as f64),
        7 => metrics::counter!("foreign_alloc_total").increment(1),
        8 => REMOVED.with("alloc").increment(1),
        9 => GONE.with(Kind::A).increment(1),
        // Over the cap.
        10 => WORK.with("the allocator's own").increment(1),
        _ => {}
    }
}

#[global_allocator]
static ALLOCATOR: Hooked = Hooked(record);

/// Everything that takes a lock or sees something for the first time.
fn work(round: usize) {
    for i in 0..10 {
        let queue = format!("{round} {i}");
        WORK.with(&queue).increment(1);
        TEXT.with(if i % 2 == 0 { "even" } else { "odd" }).record(0.5);
        counter!(format!("compozy_alloc_{round}_{i}_total"), "queue" => queue.clone()).increment(1);
        metrics::counter!(format!("foreign_{round}_{i}_total"), "user" => queue.clone()).increment(1);
        metrics::histogram!("foreign_alloc").record(i as f64);
        metrics::histogram!(format!("foreign_{round}_{i}")).record(0.5);
        // What is logged: a label off the list, one name as two kinds.
        metrics::counter!("compozy_alloc_logged_total", "user_id" => queue.clone()).increment(1);
        metrics::gauge!("compozy_alloc_logged_total").set(1);
        describe_counter!(format!("compozy_alloc_{round}_{i}_total"), "described");
        REMOVED.with(&queue).increment(1);
        REMOVED.remove(&queue);
        REMOVED.remove("alloc");
        GONE.remove(Kind::A);
        GONE.with(Kind::A).increment(1);
    }
    REMOVED.clear();
    GONE.clear();
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().expect("a number")
}

#[test]
fn an_allocator_that_records_never_hangs() {
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the first");
    // Whoever waits for itself is told so: there is no other way out.
    let (done, wait) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        if wait.recv_timeout(Duration::from_secs(120)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let what = RECORDS.swap(0, SeqCst);
            let line = format!("hangs while the allocator makes record {what}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
            std::process::abort();
        }
    });
    for what in 1..=10_u8 {
        // From before the start to after the end.
        RECORDS.store(what, SeqCst);
        let service = MonitoringService::new(Config::default().enabled(true).series_cap(100)).expect("valid");
        service.register(ALL);
        work(usize::from(what));
        std::thread::scope(|scope| {
            for thread in 0..2 {
                scope.spawn(move || work(1_000 + usize::from(what) * 10 + thread));
            }
            (0..5).for_each(|_| drop(service.render()));
        });
        let test = MonitoringService::for_test();
        test.in_scope(|| work(usize::from(what)));
        drop(test.render());
        drop(test.snapshot());
        drop(test);
        service.shutdown();
        RECORDS.store(0, SeqCst);
        let service = MonitoringService::new(Config::default().enabled(true).series_cap(100)).expect("valid");
        let text = service.render();
        let work: f64 = text
            .lines()
            .filter(|line| line.starts_with("compozy_alloc_work_total{"))
            .map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number"))
            .sum();
        assert!(work >= 30.0 * f64::from(what), "the application's own are all there: {work}");
        service.shutdown();
    }
    let service = MonitoringService::new(Config::default().enabled(true).series_cap(100)).expect("valid");
    let text = service.render();
    let calls = CALLS.load(SeqCst) as f64;
    for series in [
        "compozy_alloc_plain_total",
        "compozy_alloc_closed{kind=\"b\"}",
        "compozy_alloc_text_seconds_count{queue=\"alloc\"}",
        "compozy_alloc_literal_total{queue=\"alloc\"}",
        "foreign_alloc_count",
        "foreign_alloc_total",
    ] {
        let counted = value(&text, series);
        assert!(counted > 1_000.0 && counted < calls, "{series}: {counted} of {calls}");
    }
    assert_eq!(value(&text, "compozy_alloc_level"), 1.0);
    drop(done);
}
