//! The third price: switched on, a call site resolves its series once and keeps it; nothing allocates in the steady
//! state. (Known faults 8 and 9.)
#![cfg(feature = "prometheus")]

use crate::common;

use common::{allocations, value};
use compozy_monitoring::{Config, Counter, MonitoringService, counter, gauge, histogram, metrics};

compozy_monitoring::families! {
    pub(crate) list ALL;
    /// Calls.
    counter CALLS = "compozy_price_on_calls_total";
    /// Time.
    histogram TIME = "compozy_price_on_time_seconds" { kind: Kind { Fast = "fast", Slow = "slow" }, queue: str };
    /// Depth.
    gauge DEPTH = "compozy_price_on_depth" { kind: Kind };
}

fn record(queue: &str) {
    counter!("compozy_price_on_literal_total", "kind" => "literal").increment(1);
    gauge!("compozy_price_on_level", "kind" => "literal").increment(1.5);
    histogram!("compozy_price_on_literal_seconds").record(0.5);
    CALLS.increment(1);
    TIME.with(Kind::Slow, queue).record(0.25);
    DEPTH.with(Kind::Fast).increment(1);
}

#[test]
fn early_call_sites_record_after_the_start_and_keep_their_series() {
    own_process!();
    // Touched before anything was started, through every way there is.
    record("early");
    let literal: Counter = counter!("compozy_price_on_literal_total", "kind" => "literal");
    let raw: metrics::Counter = counter!("compozy_price_on_literal_total", "kind" => "literal").into();
    let closed = DEPTH.with(Kind::Slow);
    literal.increment(1);
    raw.increment(1);
    closed.set(1);

    let service = MonitoringService::new(Config::default().enabled(true)).expect("a valid configuration");
    assert!(service.is_enabled());
    assert!(!service.render().contains("compozy_price"), "nothing was recorded while it was off");
    service.register(ALL);
    literal.increment(10);
    raw.increment(100);
    closed.set(7);
    record("late");
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_price_on_literal_total{kind="literal"}"#), 111.0);
    assert_eq!(value(&text, r#"compozy_price_on_depth{kind="slow"}"#), 7.0);
    assert_eq!(value(&text, r#"compozy_price_on_depth{kind="fast"}"#), 1.0);
    assert_eq!(value(&text, "compozy_price_on_calls_total"), 1.0);
    assert_eq!(value(&text, r#"compozy_price_on_time_seconds_count{kind="slow",queue="late"}"#), 1.0);

    // The exporter queues the samples of undeclared histograms in blocks; everything else allocates nothing.
    let steady = || {
        counter!("compozy_price_on_literal_total", "kind" => "literal").increment(1);
        gauge!("compozy_price_on_level", "kind" => "literal").increment(1.5);
        CALLS.increment(1);
        TIME.with(Kind::Slow, "late").record(0.25);
        DEPTH.with(Kind::Fast).increment(1);
    };
    steady();
    assert_eq!(allocations(|| (0..10_000).for_each(|_| steady())), 0);
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_price_on_literal_total{kind="literal"}"#), 10_112.0);
    assert_eq!(value(&text, r#"compozy_price_on_time_seconds_sum{kind="slow",queue="late"}"#), 2_500.5);

    // Free text over the cap allocates no more than any other.
    for i in 0..3_000 {
        TIME.with(Kind::Fast, &format!("q{i}")).record(0.25);
    }
    assert_eq!(allocations(|| (0..1_000).for_each(|_| TIME.with(Kind::Fast, "a new one").record(0.25))), 0);

    // A computed label is looked up each time: the control that the counter of allocations sees something.
    let computed = String::from("x");
    assert!(allocations(|| counter!("compozy_price_on_dynamic_total", "kind" => computed.clone()).increment(1)) > 0);
}
