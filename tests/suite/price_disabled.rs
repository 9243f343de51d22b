//! The second price: compiled in and switched off, nothing is evaluated and nothing is allocated. (Known fault 9.)
#![cfg(feature = "prometheus")]

use crate::common;

use std::cell::Cell;

use common::allocations;
use compozy_monitoring::{Counter, MonitoringService, counter, describe_counter, gauge, histogram};

compozy_monitoring::families! {
    /// Calls.
    counter CALLS = "compozy_price_calls_total";
    /// Time.
    histogram TIME = "compozy_price_time_seconds" { kind: Kind { Fast = "fast", Slow = "slow" }, queue: str };
    /// Depth.
    gauge DEPTH = "compozy_price_depth" { kind: Kind };
}

/// One of each kind of call site; says how often a label was evaluated.
fn record(evaluated: &Cell<u32>) {
    let label = || {
        evaluated.set(evaluated.get() + 1);
        "label".to_owned()
    };
    counter!("compozy_price_literal_total", "kind" => "literal").increment(1);
    counter!("compozy_price_dynamic_total", "kind" => label()).increment(1);
    gauge!("compozy_price_dynamic_depth", "kind" => label(), "queue" => label()).set(3);
    histogram!("compozy_price_dynamic_seconds", &[("kind", label())]).record(0.5);
    counter!(label()).increment(1);
    counter!(description: "d", format!("compozy_{}", label())).increment(1);
    describe_counter!(label(), label());
    CALLS.increment(1);
    TIME.with(Kind::Slow, "queue").record(0.25);
    TIME.with(Kind::Fast, "queue").record_many(0.25, 3);
    DEPTH.with(Kind::Fast).set(2);
}

#[test]
fn off_evaluates_no_label_and_allocates_nothing() {
    own_process!();
    let evaluated = Cell::new(0);
    let service = MonitoringService::new(None).expect("the default is valid");
    assert!(!service.is_enabled());
    assert_eq!(allocations(|| (0..100).for_each(|_| record(&evaluated))), 0);
    assert_eq!(evaluated.get(), 0);

    // The positive control: the same calls, where somebody records them.
    let service = MonitoringService::for_test();
    assert!(allocations(|| service.in_scope(|| record(&evaluated))) > 0);
    // 1 + 2 + 1 + 1, a name with a description twice (as in `metrics`), and 2 of `describe_counter!`.
    assert_eq!(evaluated.get(), 9);
    assert!(service.render().contains("compozy_price_dynamic_total{kind=\"label\"} 1"), "{}", service.render());

    // And what was taken while it was off, with computed labels, stays a no-op: its labels were never evaluated.
    let text = String::from("computed");
    let early: Counter = counter!("compozy_price_early_total", "kind" => text);
    service.in_scope(|| early.increment(1));
    assert!(!service.render().contains("compozy_price_early_total"));
}
