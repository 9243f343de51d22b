//! Handles that are taken before monitoring starts, and call sites that never record.
#![cfg(feature = "prometheus")]

use crate::common;

use common::{allocations, log_of, value};
use compozy_monitoring::{Config, Counter, Gauge, Histogram, MonitoringService, counter, gauge, histogram, metrics};

compozy_monitoring::families! {
    /// Free text.
    counter MAILS = "compozy_early_mails_total" { queue: str };
    /// Free text beside a closed set.
    histogram MIXED = "compozy_early_mixed_seconds" { kind: Kind { A = "a", B = "b" }, queue: str };
    /// Closed.
    gauge CLOSED = "compozy_early_closed" { kind: Kind };
    /// Without labels.
    counter PLAIN = "compozy_early_plain_total";
    /// Taken and never recorded.
    counter TAKEN = "compozy_early_taken_total" { kind: Kind };
    /// Taken and never recorded.
    histogram TAKEN_PLAIN = "compozy_early_taken_seconds";
}

const LOST: &str = "compozy_monitoring_early_handle_records_total";

/// What a struct of the application keeps.
struct Kept {
    text: Counter,
    mixed: Histogram,
    computed: Counter,
    named: Gauge,
    closed: Gauge,
    plain: Counter,
    literal: Counter,
    foreign: metrics::Counter,
}

impl Kept {
    fn new() -> Self {
        let queue = String::from("q");
        Self {
            text: MAILS.with(&queue),
            mixed: MIXED.with(Kind::B, &queue),
            computed: counter!("compozy_early_computed_total", "queue" => queue.clone()),
            named: gauge!(format!("compozy_early_{}", "named")),
            closed: CLOSED.with(Kind::B),
            plain: PLAIN.handle(),
            literal: counter!("compozy_early_literal_total", "queue" => "q"),
            foreign: MAILS.with(&queue).into(),
        }
    }

    fn record(&self) {
        self.text.increment(1);
        self.mixed.record(0.5);
        self.computed.increment(1);
        self.named.set(1);
        self.closed.increment(1);
        self.plain.increment(1);
        self.literal.increment(1);
        self.foreign.increment(1);
    }
}

#[test]
fn an_early_handle_records_or_says_that_it_cannot() {
    own_process!();
    let early = Kept::new();
    early.record();
    assert_eq!(allocations(|| _ = MAILS.with("q").clone()), 0);
    assert_eq!(allocations(|| early.text.increment(1)), 0);

    let start = || MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let service = start();
    let mut text = String::new();
    let log = log_of(|| {
        (0..10).for_each(|_| early.record());
        text = service.render();
    });
    // What asks at every record.
    for series in
        ["compozy_early_closed{kind=\"b\"}", "compozy_early_plain_total", "compozy_early_literal_total{queue=\"q\"}"]
    {
        assert_eq!(value(&text, series), 10.0, "{series}");
    }
    // What has lost its labels: each record counted, and one line a family.
    assert_eq!(value(&text, LOST), 50.0);
    assert!(!text.contains("compozy_early_mails_total") && !text.contains("compozy_early_mixed_seconds"), "{text}");
    assert_eq!(value(&text, "compozy_monitoring_health"), 1.0);
    for (metric, lines) in [
        ("\"compozy_early_mails_total\"", 1),
        ("\"compozy_early_mixed_seconds\"", 1),
        ("\"compozy_early_computed_total\"", 1),
        ("early.rs:", 1),
    ] {
        assert_eq!(log.matches(metric).count(), lines, "{metric} in {log}");
    }
    assert_eq!(log.matches("Records are lost").count(), 4, "{log}");

    // Taken again, they record.
    let late = Kept::new();
    late.record();
    let text = service.render();
    assert_eq!(value(&text, "compozy_early_mails_total{queue=\"q\"}"), 2.0);
    assert_eq!(value(&text, "compozy_early_computed_total{queue=\"q\"}"), 1.0);
    assert_eq!(value(&text, "compozy_early_named"), 1.0);
    assert_eq!(value(&text, LOST), 50.0);

    // Over a stop and a start they go on. Those that are taken in between say so.
    service.shutdown();
    late.record();
    let between = Kept::new();
    between.record();
    let service = start();
    late.record();
    let text = service.render();
    assert_eq!(value(&text, "compozy_early_mails_total{queue=\"q\"}"), 4.0);
    assert_eq!(value(&text, LOST), 50.0);
    between.record();
    assert_eq!(value(&service.render(), LOST), 55.0);

    // In a scope that is off they are lost to whoever records then; in a scope, to that service.
    let off = MonitoringService::new(None).expect("valid");
    let scoped = off.in_scope(Kept::new);
    scoped.text.increment(1);
    assert_eq!(value(&service.render(), LOST), 56.0);
    let test = MonitoringService::for_test();
    test.in_scope(|| early.text.increment(1));
    assert_eq!((value(&test.render(), LOST), value(&service.render(), LOST)), (1.0, 56.0));

    // A handle that does nothing because somebody wants it so loses nothing.
    Counter::noop().increment(1);
    assert_eq!(value(&service.render(), LOST), 56.0);

    taken(&service);
    taken(&test);
    service.shutdown();
}

/// A call site that was reached while monitoring is on is there, at 0, as with computed labels and in `metrics`.
fn taken(service: &MonitoringService) {
    service.in_scope(|| {
        for _ in 0..2 {
            let _counter = counter!("compozy_early_untouched_total");
            let _labels = counter!("compozy_early_untouched_total", "queue" => "q");
            let _gauge = gauge!("compozy_early_untouched", "queue" => "q");
            let _histogram = histogram!("compozy_early_untouched_seconds");
            let _summary = histogram!("foreign_untouched");
            let _closed = TAKEN.with(Kind::A);
            let _plain = TAKEN_PLAIN.handle();
            // Of one name as two kinds, the record says what is wrong, not the look.
            let _taken = gauge!("compozy_early_untouched_seconds");
        }
    });
    let text = service.render();
    for series in [
        "compozy_early_untouched_total",
        "compozy_early_untouched_total{queue=\"q\"}",
        "compozy_early_untouched{queue=\"q\"}",
        "compozy_early_untouched_seconds_count",
        "foreign_untouched_count",
        "compozy_early_taken_total{kind=\"a\"}",
        "compozy_early_taken_total{kind=\"b\"}",
        "compozy_early_taken_seconds_count",
        "compozy_monitoring_errors_total",
    ] {
        assert_eq!(value(&text, series), 0.0, "{series}");
    }
    // A summary without samples has no quantiles.
    assert!(value(&text, "foreign_untouched{quantile=\"0.5\"}").is_nan(), "{text}");
    assert!(text.contains("# HELP compozy_early_untouched_total Not described\n"), "{text}");
    assert_eq!(common::promtool(&text), "");
}
