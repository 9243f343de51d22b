//! Scopes: which service a record belongs to, whatever is nested, awaited, spawned or kept. (Known fault 7.)
#![cfg(feature = "prometheus")]

use crate::common;

use std::sync::LazyLock;

use common::samples;
use compozy_monitoring::{Config, Counter, MonitoringService, counter, gauge, metrics};

compozy_monitoring::families! {
    /// Plain.
    counter PLAIN = "compozy_scope_plain_total";
    /// Closed.
    counter CLOSED = "compozy_scope_closed_total" { kind: ScopeKind { A = "a", B = "b" } };
    /// Text.
    counter TEXT = "compozy_scope_text_total" { queue: str };
}

compozy_monitoring::families! {
    /// Plain.
    counter STEADY = "compozy_steady_total";
    /// Text.
    counter STEADY_TEXT = "compozy_steady_text_total" { queue: str };
}

static KEPT: LazyLock<Counter> = LazyLock::new(|| counter!("compozy_scope_kept_total", "queue" => "literal"));
static KEPT_CLOSED: LazyLock<Counter> = LazyLock::new(|| CLOSED.with(ScopeKind::B));

/// One record through every way in.
fn record() {
    counter!("compozy_scope_literal_total").increment(1);
    let queue = String::from("q");
    counter!("compozy_scope_computed_total", "queue" => queue).increment(1);
    metrics::counter!("compozy_scope_raw_total").increment(1);
    KEPT.increment(1);
    KEPT_CLOSED.increment(1);
    PLAIN.increment(1);
    CLOSED.with(ScopeKind::A).increment(1);
    TEXT.with("q").increment(1);
}

const SERIES: [&str; 8] = [
    "compozy_scope_literal_total",
    r#"compozy_scope_computed_total{queue="q"}"#,
    "compozy_scope_raw_total",
    r#"compozy_scope_kept_total{queue="literal"}"#,
    r#"compozy_scope_closed_total{kind="b"}"#,
    "compozy_scope_plain_total",
    r#"compozy_scope_closed_total{kind="a"}"#,
    r#"compozy_scope_text_total{queue="q"}"#,
];

#[track_caller]
fn expect(service: &MonitoringService, times: f64) {
    let all = samples(&service.render());
    for series in SERIES {
        assert_eq!(all.get(series).copied().unwrap_or_default(), times, "{series}");
    }
}

/// The process's one service, as the application has it: started by the first test that wants it, never stopped.
static GLOBAL: LazyLock<MonitoringService> =
    LazyLock::new(|| MonitoringService::new(Config::default().enabled(true)).expect("valid"));

#[test]
fn scopes_nest_and_the_innermost_wins() {
    own_process!();
    assert!(GLOBAL.is_enabled());
    let (outer, inner) = (MonitoringService::for_test(), MonitoringService::for_test());
    outer.in_scope(|| {
        record();
        inner.in_scope(|| {
            record();
            outer.in_scope(record);
            record();
        });
        record();
    });
    expect(&outer, 3.0);
    expect(&inner, 2.0);
}

#[test]
fn a_scope_of_a_service_that_is_off_records_nowhere() {
    own_process!();
    let off = MonitoringService::new(None).expect("valid");
    let outer = MonitoringService::for_test();
    outer.in_scope(|| {
        record();
        off.in_scope(record);
    });
    expect(&outer, 1.0);
    let ended = MonitoringService::for_test();
    ended.shutdown();
    outer.in_scope(|| ended.in_scope(record));
    expect(&outer, 1.0);
}

#[test]
fn a_panic_leaves_the_scope() {
    own_process!();
    let (outer, inner) = (MonitoringService::for_test(), MonitoringService::for_test());
    outer.in_scope(|| {
        let caught = std::panic::catch_unwind(|| {
            inner.in_scope(|| {
                record();
                std::panic::resume_unwind(Box::new("quietly"));
            })
        });
        assert!(caught.is_err());
        record();
    });
    expect(&outer, 1.0);
    expect(&inner, 1.0);
}

#[test]
fn a_thread_has_no_scope_of_its_parent() {
    own_process!();
    let (service, other) = (MonitoringService::for_test(), MonitoringService::for_test());
    service.in_scope(|| {
        std::thread::scope(|threads| {
            threads.spawn(|| other.in_scope(record));
        });
        record();
    });
    expect(&service, 1.0);
    expect(&other, 1.0);
}

#[test]
fn a_scope_follows_its_future_across_threads_and_awaits() {
    own_process!();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    let services: Vec<_> = (0..16).map(|_| MonitoringService::for_test()).collect();
    runtime.block_on(async {
        let tasks: Vec<_> = services
            .iter()
            .map(|service| {
                tokio::spawn(service.scope(async {
                    for _ in 0..200 {
                        record();
                        tokio::task::yield_now().await;
                    }
                }))
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    for service in &services {
        expect(service, 200.0);
    }
}

#[test]
fn scopes_of_two_futures_in_one_task_do_not_mix() {
    own_process!();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (left, right) = (MonitoringService::for_test(), MonitoringService::for_test());
    runtime.block_on(async {
        let run = |times: usize| async move {
            for _ in 0..times {
                record();
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(left.scope(run(10)), right.scope(run(20)), left.scope(right.scope(run(5))));
    });
    expect(&left, 10.0);
    expect(&right, 25.0);
}

#[test]
fn a_handle_with_computed_labels_stays_with_the_service_it_was_made_for() {
    own_process!();
    let (first, second) = (MonitoringService::for_test(), MonitoringService::for_test());
    let queue = String::from("q");
    let handle = first.in_scope(|| counter!("compozy_scope_computed_total", "queue" => queue));
    second.in_scope(|| handle.increment(3));
    handle.increment(4);
    assert_eq!(common::value(&first.render(), r#"compozy_scope_computed_total{queue="q"}"#), 7.0);
    assert!(!second.render().contains("compozy_scope_computed_total"));
}

#[test]
fn a_scope_that_is_entered_while_a_thread_is_torn_down_harms_nobody() {
    own_process!();
    use std::{cell::RefCell, pin::Pin};
    struct Late(MonitoringService);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.in_scope(record);
        }
    }
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
        static FUTURE: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(None) };
    }
    let service = MonitoringService::for_test();
    let theirs = service.clone();
    std::thread::spawn(move || {
        // Registered first, so that they are destroyed after the scope's own thread-local.
        LATE.with(|late| *late.borrow_mut() = Some(Late(theirs.clone())));
        FUTURE.with(|future| *future.borrow_mut() = Some(Box::pin(theirs.scope(std::future::pending()))));
        theirs.in_scope(record);
    })
    .join()
    .expect("the thread ends well");
    assert_eq!(common::value(&service.render(), "compozy_scope_literal_total"), 1.0);
}

#[test]
fn a_scope_elsewhere_costs_the_global_service_nothing() {
    own_process!();
    let global = &*GLOBAL;
    MonitoringService::new(None).expect("valid").in_scope(|| ());
    let steady = || {
        counter!("compozy_steady_literal_total").increment(1);
        STEADY.increment(1);
        STEADY_TEXT.with("q").increment(1);
    };
    steady();
    assert_eq!(common::allocations(|| (0..1_000).for_each(|_| steady())), 0);
    assert_eq!(common::value(&global.render(), "compozy_steady_total"), 1_001.0);
    // In its own scope too.
    assert_eq!(common::allocations(|| global.in_scope(|| (0..10).for_each(|_| steady()))), 0);
    assert_eq!(common::value(&global.render(), "compozy_steady_total"), 1_011.0);
}

#[test]
fn the_global_service_sees_what_no_scope_takes() {
    own_process!();
    let service = &*GLOBAL;
    assert!(service.is_enabled());
    let test = MonitoringService::for_test();
    let before = samples(&service.render());
    gauge!("compozy_scope_global_level").increment(2);
    test.in_scope(|| service.in_scope(|| gauge!("compozy_scope_global_level").increment(3)));
    test.in_scope(|| gauge!("compozy_scope_global_level").increment(100));
    assert_eq!(common::value(&service.render(), "compozy_scope_global_level"), 5.0);
    // The other tests of this process, if they run beside this one, left nothing here.
    for series in SERIES {
        assert_eq!(before.get(series).copied().unwrap_or_default(), 0.0, "{series}");
    }
    // A second start degrades, and the first goes on.
    let second = MonitoringService::new(Config::default().enabled(true)).expect("valid");
    assert!(!second.is_enabled() && service.is_enabled());
}
