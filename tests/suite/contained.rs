//! Code that is not ours on the way of a record: handles of other recorders, a log subscriber. When it panics, the one who
//! only wanted to count does not notice.
#![cfg(feature = "prometheus")]

use crate::common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use common::{sum, value};
use compozy_monitoring::{
    ClosedLabel, Counter, Gauge, Histogram, MonitoringService, describe_counter,
    metrics::{self, CounterFn, GaugeFn, HistogramFn},
};

/// Outside its own set.
#[derive(Clone, Copy)]
struct Stray;

impl ClosedLabel for Stray {
    const VALUES: &'static [&'static str] = &["a"];
    fn index(self) -> usize {
        7
    }
}

compozy_monitoring::families! {
    /// All labels closed.
    counter CLOSED = "compozy_contained_closed_total" { kind: Stray };
    /// With free text.
    counter TEXT = "compozy_contained_text_total" { kind: Stray, queue: str };
    /// Without labels.
    histogram PLAIN = "compozy_contained_plain_seconds";
    /// One more series than the cap.
    counter FULL = "compozy_contained_full_total" { queue: str };
    /// The labels of another declaration.
    counter OTHER = "compozy_contained_other_total" { queue: str };
}

/// The same name with other labels.
mod again {
    compozy_monitoring::families! {
        /// Declared again.
        pub(super) counter OTHER = "compozy_contained_other_total" { kind: str };
    }
}

/// What makes trouble once more when the panic is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("the payload");
    }
}

/// Panics whatever is asked of it, and says how often that was.
#[derive(Default)]
struct Panics(AtomicUsize);

impl Panics {
    fn now(&self) {
        match self.0.fetch_add(1, Relaxed) % 2 {
            0 => panic!("the handle"),
            _ => std::panic::panic_any(Payload),
        }
    }
}

impl CounterFn for Panics {
    fn increment(&self, _: u64) {
        self.now();
    }
    fn absolute(&self, _: u64) {
        self.now();
    }
}

impl GaugeFn for Panics {
    fn increment(&self, _: f64) {
        self.now();
    }
    fn decrement(&self, _: f64) {
        self.now();
    }
    fn set(&self, _: f64) {
        self.now();
    }
}

impl HistogramFn for Panics {
    fn record(&self, _: f64) {
        self.now();
    }
}

/// Panics as it goes.
struct LastWords(Arc<AtomicUsize>);

impl CounterFn for LastWords {
    fn increment(&self, _: u64) {}
    fn absolute(&self, _: u64) {}
}

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
        panic!("the drop");
    }
}

#[test]
fn a_foreign_handle_that_panics_is_not_noticed() {
    let service = MonitoringService::for_test();
    let panics = Arc::new(Panics::default());
    let dropped = Arc::new(AtomicUsize::new(0));
    service.in_scope(|| {
        let counter = Counter::from(metrics::Counter::from_arc(panics.clone()));
        let gauge = Gauge::from(metrics::Gauge::from_arc(panics.clone()));
        let histogram = Histogram::from(metrics::Histogram::from_arc(panics.clone()));
        for _ in 0..2 {
            counter.increment(1);
            counter.clone().absolute(1);
            gauge.increment(1);
            gauge.decrement(1);
            gauge.set(1);
            histogram.record(0.5);
            histogram.record_many(0.5, 3);
        }
        drop(Counter::from(metrics::Counter::from_arc(Arc::new(LastWords(dropped.clone())))));
        PLAIN.record(0.5);
    });
    // `record_many` gives up at its first sample.
    assert_eq!((panics.0.load(Relaxed), dropped.load(Relaxed)), (14, 1));
    assert_eq!(value(&service.render(), "compozy_contained_plain_seconds_count"), 1.0);
}

/// Panics at every event.
#[derive(Clone, Default)]
struct Subscriber(Arc<AtomicUsize>);

impl tracing::Subscriber for Subscriber {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Relaxed);
        panic!("the subscriber");
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_log_subscriber_that_panics_loses_no_record_and_is_not_noticed() {
    let service = MonitoringService::for_test();
    let subscriber = Subscriber::default();
    let text = tracing::subscriber::with_default(subscriber.clone(), || {
        service.in_scope(|| {
            // A value outside its set, in each kind of family.
            CLOSED.with(Stray).increment(1);
            TEXT.with(Stray, "q").increment(1);
            // A label that is not on the list, by way of the `metrics` crate.
            metrics::counter!("compozy_contained_open_total", "le" => "1").increment(1);
            // A name of two kinds; a family of two declarations; a series too many.
            metrics::gauge!("compozy_contained_open_total").set(1);
            OTHER.with("q").increment(1);
            again::OTHER.with("k").increment(1);
            (0..2_005).for_each(|i| FULL.with(&i.to_string()).increment(1));
            describe_counter!("compozy_contained_open_total", "described");
            PLAIN.record(f64::NAN);
        });
        service.render()
    });
    assert_eq!(subscriber.0.load(Relaxed), 7, "what was logged");
    assert_eq!(value(&text, r#"compozy_contained_closed_total{kind="other"}"#), 1.0);
    assert_eq!(value(&text, r#"compozy_contained_text_total{kind="other",queue="q"}"#), 1.0);
    assert_eq!(value(&text, "compozy_contained_open_total"), 1.0);
    assert_eq!(value(&text, r#"compozy_contained_other_total{queue="q"}"#), 1.0);
    assert_eq!(sum(&text, "compozy_contained_full_total"), 2_005.0);
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), 3.0, "two kinds, two declarations, and no number");
}
