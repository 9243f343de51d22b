//! Values that are read at each scrape, and callbacks that misbehave.
#![cfg(feature = "prometheus")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    time::{Duration, Instant},
};

use crate::common::{log_of, value};
use compozy_monitoring::{Config, MonitoringService, counter, gauge};

compozy_monitoring::families! {
    /// Closed.
    gauge POOL = "compozy_observe_pool" { state: State { Idle = "idle", Busy = "busy" } };
    /// Without labels.
    gauge LENGTH = "compozy_observe_length";
    /// Free text.
    gauge TEXT = "compozy_observe_text" { queue: str };
    /// Counted elsewhere.
    counter SEEN = "compozy_observe_seen_total";
    /// Of the process's one service.
    gauge GLOBAL = "compozy_observe_global";
}

/// Generous: tells "answered" from "hangs".
const SOON: Duration = Duration::from_secs(10);

#[test]
fn values_of_gauges_and_counters_are_read_at_each_scrape_until_the_guard_is_dropped() {
    let service = MonitoringService::for_test();
    let calls = Arc::new(AtomicU64::new(0));
    let read = |start: u64| {
        let calls = calls.clone();
        move || calls.fetch_add(1, SeqCst) * 10 + start
    };
    let guards = service.in_scope(|| {
        vec![
            service.observe(POOL.with(State::Busy), read(1)),
            service.observe(LENGTH.handle(), read(2)),
            service.observe(TEXT.with("q"), read(3)),
            service.observe(SEEN.handle(), read(4)),
            service.observe(gauge!("compozy_observe_site"), read(5)),
            service.observe(counter!("compozy_observe_site_total", "queue" => String::from("x")), read(6)),
        ]
    });
    assert_eq!(calls.load(SeqCst), 0, "nothing is read before a scrape");
    for round in [0.0, 60.0] {
        let text = service.render();
        assert_eq!(value(&text, r#"compozy_observe_pool{state="busy"}"#), round + 1.0);
        assert_eq!(value(&text, r#"compozy_observe_pool{state="idle"}"#), 0.0);
        assert_eq!(value(&text, "compozy_observe_length"), round + 12.0);
        assert_eq!(value(&text, r#"compozy_observe_text{queue="q"}"#), round + 23.0);
        assert_eq!(value(&text, "compozy_observe_seen_total"), round + 34.0);
        assert_eq!(value(&text, "compozy_observe_site"), round + 45.0);
        assert_eq!(value(&text, r#"compozy_observe_site_total{queue="x"}"#), round + 56.0);
    }
    drop(guards);
    let text = service.render();
    assert_eq!((calls.load(SeqCst), value(&text, "compozy_observe_length")), (12, 72.0));
    assert_eq!(Arc::strong_count(&calls), 1, "the closures are gone with their guards");
}

#[test]
fn while_off_nothing_is_called() {
    let called = Arc::new(AtomicBool::new(false));
    let read = || {
        let called = called.clone();
        move || {
            called.store(true, SeqCst);
            1
        }
    };
    let off = MonitoringService::new(Config::default()).unwrap();
    let _guard = off.observe(LENGTH.handle(), read());
    let stopped = MonitoringService::for_test();
    let _other = stopped.observe(LENGTH.handle(), read());
    stopped.shutdown();
    for service in [off, stopped] {
        assert!(service.try_render().is_err());
        let _ = service.snapshot();
    }
    assert!(!called.load(SeqCst));
}

#[test]
fn a_callback_that_panics_is_named_and_costs_nobody_else() {
    let service = MonitoringService::for_test();
    let log = log_of(|| {
        let _bad = service.observe(POOL.with(State::Idle), || -> u8 { std::panic::panic_any("no pool") });
        let _good = service.observe(LENGTH.handle(), || 7);
        for _ in 0..2 {
            let text = service.render();
            assert_eq!(value(&text, "compozy_observe_length"), 7.0);
        }
    });
    assert!(log.contains("compozy_observe_pool (tests/suite/observe.rs:") && log.contains("no pool"), "{log}");
    assert_eq!(value(&service.render(), "compozy_monitoring_errors_total"), 2.0);
}

#[test]
fn a_callback_that_blocks_is_named_is_not_called_again_and_costs_nobody_else() {
    let service = MonitoringService::for_test();
    let (release, wait) = mpsc::channel::<u8>();
    let calls = Arc::new(AtomicU64::new(0));
    let log = log_of(|| {
        let _first = service.observe(SEEN.handle(), || 3);
        let counted = calls.clone();
        let _blocks = service.observe(POOL.with(State::Idle), move || {
            counted.fetch_add(1, SeqCst);
            wait.recv().unwrap_or(9)
        });
        let lengths = AtomicU64::new(0);
        let _after = service.observe(LENGTH.handle(), move || lengths.fetch_add(1, SeqCst) + 1);
        for round in 1..=3 {
            let begun = Instant::now();
            let text = service.render();
            assert!(begun.elapsed() < SOON);
            assert_eq!(value(&text, "compozy_observe_length"), f64::from(round));
            assert_eq!(value(&text, "compozy_observe_seen_total"), 3.0);
            assert!(!text.contains("compozy_observe_pool"), "nothing was read yet");
        }
        assert_eq!(calls.load(SeqCst), 1);
        release.send(5).unwrap();
        let until = Instant::now() + SOON;
        // It has returned: the next scrape calls it again, and finds the channel closed.
        drop(release);
        while !service.render().contains(r#"compozy_observe_pool{state="idle"} 9"#) {
            assert!(Instant::now() < until, "it is never called again");
        }
    });
    let said = log.lines().filter(|line| line.contains("does not answer")).count();
    assert!(said == 1 && log.contains("compozy_observe_pool (tests/suite/observe.rs:"), "{log}");
}

#[test]
fn many_that_block_cost_a_scrape_no_more_than_its_bound() {
    let service = MonitoringService::for_test();
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let guards: Vec<_> = (0..40)
        .map(|_| {
            let gate = gate.clone();
            service.observe(LENGTH.handle(), move || usize::from(gate.lock().is_ok()))
        })
        .collect();
    let begun = Instant::now();
    assert!(service.try_render().is_ok());
    assert!(begun.elapsed() < SOON);
    drop(closed);
    drop(guards);
}

#[test]
fn a_guard_that_is_dropped_while_its_callback_runs_ends_it() {
    let service = MonitoringService::for_test();
    let slot = Arc::new(Mutex::new(None));
    let own = slot.clone();
    let guard = service.observe(LENGTH.handle(), move || {
        drop(own.lock().unwrap().take());
        5
    });
    *slot.lock().unwrap() = Some(guard);
    for _ in 0..2 {
        assert!(!service.render().contains("compozy_observe_length 5"));
    }
}

#[test]
fn a_callback_that_scrapes_its_own_service_is_answered() {
    let service = MonitoringService::for_test();
    let inner = service.clone();
    let _guard = service.observe(LENGTH.handle(), move || inner.render().len().min(1));
    assert_eq!(value(&service.render(), "compozy_observe_length"), 1.0);
}

#[test]
fn the_next_service_of_the_process_goes_on_reading() {
    own_process!();
    let config = || Config::default().enabled(true);
    let service = MonitoringService::new(config()).unwrap();
    let guard = service.observe(GLOBAL.handle(), || 4);
    service.shutdown();
    let service = MonitoringService::new(config()).unwrap();
    assert_eq!(value(&service.render(), "compozy_observe_global"), 4.0);
    drop(guard);
}
