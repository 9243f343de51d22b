//! The meter by itself: what SDK core does with it, without a server.

use std::{sync::Arc, time::Duration};

use compozy_monitoring::{Config, MonitoringService};
use temporalio_common::telemetry::metrics::{
    CoreMeter, CounterBase, GaugeBase, HistogramBase, HistogramDurationBase, MetricAttributable, MetricAttributes,
    MetricKeyValue, MetricParameters, NewAttributes,
};

use crate::common;
use common::{allocations, log_of, samples, value};

fn named(name: &str, unit: &'static str) -> MetricParameters {
    MetricParameters::builder().name(name.to_owned()).description("What it is").unit(unit).build()
}

fn attributes(meter: &dyn CoreMeter, pairs: &[(&str, &'static str)]) -> MetricAttributes {
    let pairs = pairs.iter().map(|(name, value)| MetricKeyValue::new(*name, *value));
    meter.new_attributes(NewAttributes::from(pairs))
}

fn types(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("# TYPE temporal_")).collect()
}

#[test]
fn every_kind_of_instrument_is_a_family_of_its_own() {
    let service = MonitoringService::for_test();
    let meter = service.temporal_meter();
    let own = attributes(&meter, &[("task_queue", "q"), ("eager", "true")]);
    meter.counter(named("temporal_c", "")).add(3, &own);
    meter.gauge(named("temporal_g", "")).record(7, &own);
    meter.gauge_f64(named("temporal_gf", "")).record(0.5, &own);
    let up_down = meter.up_down_counter(named("temporal_ud", ""));
    up_down.add(5, &own);
    up_down.add(-7, &own);
    meter.histogram(named("temporal_h", "bytes")).record(60, &own);
    meter.histogram_f64(named("temporal_hf", "")).record(60.5, &own);
    meter
        .histogram_duration(named("temporal_activity_execution_latency", "duration"))
        .record(Duration::from_millis(60), &own);
    let text = service.render();
    let labels = "{eager=\"true\",task_queue=\"q\"}";
    assert_eq!(value(&text, &format!("temporal_c{labels}")), 3.0);
    assert_eq!(value(&text, &format!("temporal_g{labels}")), 7.0);
    assert_eq!(value(&text, &format!("temporal_gf{labels}")), 0.5);
    assert_eq!(value(&text, &format!("temporal_ud{labels}")), -2.0);
    assert_eq!(value(&text, &format!("temporal_h_sum{labels}")), 60.0);
    assert_eq!(value(&text, &format!("temporal_hf_sum{labels}")), 60.5);
    assert_eq!(value(&text, &format!("temporal_activity_execution_latency_sum{labels}")), 0.06);
    assert_eq!(
        types(&text),
        [
            "# TYPE temporal_activity_execution_latency histogram",
            "# TYPE temporal_c counter",
            "# TYPE temporal_g gauge",
            "# TYPE temporal_gf gauge",
            "# TYPE temporal_h histogram",
            "# TYPE temporal_hf histogram",
            "# TYPE temporal_ud gauge",
        ]
    );
    assert!(text.contains("# HELP temporal_h What it is, in bytes\n"));
    assert!(text.contains("# HELP temporal_activity_execution_latency What it is, in seconds\n"));
    assert!(text.contains("# HELP temporal_c What it is\n"));
    meter.counter(named("temporal a.b", "")).add(1, &own);
    assert!(service.render().contains("# HELP temporal_a_b What it is\n"));
}

#[test]
fn the_bounds_are_the_sdks() {
    let service = MonitoringService::for_test();
    let meter = service.temporal_meter();
    let none = attributes(&meter, &[]);
    let bounds = |name: &str| -> Vec<String> {
        let text = service.render();
        let prefix = format!("{name}_bucket{{le=\"");
        text.lines().filter_map(|l| Some(l.strip_prefix(&prefix)?.split_once('"')?.0.to_owned())).collect()
    };
    // In seconds, where the SDK has milliseconds by default.
    meter.histogram_duration(named("temporal_workflow_task_replay_latency", "duration")).record(Duration::ZERO, &none);
    let seconds = ["0.001", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "+Inf"];
    assert_eq!(bounds("temporal_workflow_task_replay_latency"), seconds);
    meter.histogram_duration(named("temporal_anything", "duration")).record(Duration::from_secs(3), &none);
    assert_eq!(bounds("temporal_anything"), ["0.05", "0.1", "0.5", "1", "2.5", "10", "+Inf"]);
    // Not a duration: the SDK's bounds as they are.
    meter.histogram(named("temporal_size", "")).record(3, &none);
    assert_eq!(bounds("temporal_size"), ["50", "100", "500", "1000", "2500", "10000", "+Inf"]);

    let text = service.render();
    assert_eq!(value(&text, "temporal_anything_bucket{le=\"2.5\"}"), 0.0);
    assert_eq!(value(&text, "temporal_anything_bucket{le=\"10\"}"), 1.0);
    // A sample on a bound is in the bucket of that bound.
    meter.histogram(named("temporal_size", "")).record(50, &none);
    assert_eq!(value(&service.render(), "temporal_size_bucket{le=\"50\"}"), 2.0);
}

#[test]
fn attributes_are_extended_and_not_changed() {
    let service = MonitoringService::for_test();
    let meter = service.temporal_meter();
    let base = attributes(&meter, &[("a", "1"), ("b-c", "2")]);
    let more = NewAttributes::from([MetricKeyValue::new("a", "3"), MetricKeyValue::new("n", 4_i64)]);
    let extended = meter.extend_attributes(base.clone(), more);
    let counter = meter.counter(named("temporal_c", ""));
    counter.add(1, &base);
    counter.add(1, &extended);
    counter.add(1, &MetricAttributes::Empty);
    let text = service.render();
    assert_eq!(value(&text, "temporal_c{a=\"1\",b_c=\"2\"}"), 1.0);
    assert_eq!(value(&text, "temporal_c{a=\"3\",b_c=\"2\",n=\"4\"}"), 1.0);
    assert_eq!(value(&text, "temporal_c"), 1.0);
}

#[test]
fn an_update_with_kept_attributes_allocates_nothing() {
    let service = MonitoringService::for_test();
    let meter = service.temporal_meter();
    let own = attributes(&meter, &[("task_queue", "q"), ("workflow_type", "T")]);
    let counter = meter.counter(named("temporal_c", "")).with_attributes(&own).expect("bound");
    let gauge = meter.gauge(named("temporal_g", "")).with_attributes(&own).expect("bound");
    let integers = meter.histogram(named("temporal_h", "")).with_attributes(&own).expect("bound");
    let latency = meter.histogram_duration(named("temporal_workflow_endtoend_latency", "duration"));
    let latency = latency.with_attributes(&own).expect("bound");
    let mut outcome = meter.counter(named("temporal_workflow_completed", ""));
    outcome.update_attributes(own.clone());
    let update = || {
        counter.adds(1);
        gauge.records(1);
        integers.records(1);
        latency.records(Duration::from_millis(1));
    };
    update();
    outcome.adds(1);
    assert_eq!(allocations(|| (0..1_000).for_each(|_| update())), 0);
    assert_eq!(common::sum(&service.render(), "temporal_c"), 1_001.0);
}

#[test]
fn an_outcome_carries_the_latency_before_it_and_no_other() {
    let service = MonitoringService::for_test();
    let meter = service.temporal_meter();
    let _ = service.temporal_interceptor();
    let run = |milliseconds: &[u64], outcome: Option<&str>| {
        // As core does it: one attribute object a run.
        let own = attributes(&meter, &[("workflow_type", "T")]);
        let latency = meter.histogram_duration(named("temporal_workflow_endtoend_latency", "duration"));
        let latency = latency.with_attributes(&own).expect("bound");
        for milliseconds in milliseconds {
            latency.records(Duration::from_millis(*milliseconds));
        }
        if let Some(outcome) = outcome {
            let mut counter = meter.counter(named(outcome, ""));
            counter.update_attributes(own.clone());
            counter.adds(1);
        }
    };
    run(&[100, 250], Some("temporal_workflow_completed"));
    // Refused, or a query on a closed run.
    run(&[9_000, 9_000], None);
    // The clocks disagree: core could tell no latency.
    run(&[], Some("temporal_workflow_canceled"));
    run(&[1_000], Some("temporal_workflow_continue_as_new"));
    run(&[2_000], Some("temporal_workflow_failed"));
    let text = service.render();
    let of = |family: &str| value(&text, &format!("compozy_temporal_workflow_{family}{{workflow_type=\"T\"}}"));
    for outcome in ["completed", "failed", "canceled", "continued_as_new"] {
        assert_eq!(of(&format!("{outcome}_total")), 1.0, "{outcome}");
    }
    assert_eq!(of("duration_seconds_count"), 4.0);
    assert_eq!(of("duration_seconds_sum"), 3.25);
    assert_eq!(common::sum(&text, "temporal_workflow_endtoend_latency_count"), 6.0);
}

#[test]
fn a_flood_of_workflow_types_is_bounded() {
    let service = MonitoringService::for_test();
    let meter = service.temporal_meter();
    let _ = service.temporal_interceptor();
    for number in 0..5_000 {
        let pairs = [MetricKeyValue::new("workflow_type", format!("Type{number}"))];
        let own = meter.new_attributes(NewAttributes::from(pairs));
        meter.counter(named("temporal_workflow_completed", "")).add(1, &own);
    }
    let text = service.render();
    for family in ["compozy_temporal_workflow_completed_total", "temporal_workflow_completed"] {
        assert_eq!(samples(&text).keys().filter(|series| series.starts_with(&format!("{family}{{"))).count(), 2_001);
        assert_eq!(common::sum(&text, family), 5_000.0);
    }
    assert_eq!(value(&text, "compozy_temporal_workflow_completed_total{workflow_type=\"other\"}"), 3_000.0);
}

#[test]
fn a_name_that_is_taken_costs_its_own_family_and_nothing_else() {
    let service = MonitoringService::for_test();
    service.in_scope(|| compozy_monitoring::metrics::gauge!("temporal_taken").set(1.0));
    let meter = service.temporal_meter();
    let none = attributes(&meter, &[]);
    let log = log_of(|| {
        for _ in 0..3 {
            meter.counter(named("temporal_taken", "")).add(1, &none);
            meter.histogram(named("temporal_taken", "")).record(1, &none);
        }
    });
    assert_eq!(log.matches("Metric recording failed").count(), 1, "{log}");
    let text = service.render();
    assert_eq!(value(&text, "temporal_taken"), 1.0);
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), 6.0);
}

#[test]
fn the_sdk_families_can_be_switched_off_and_the_counters_stay() {
    own_process!();
    let config = Config::default().enabled(true).temporal_sdk_families(false);
    let service = MonitoringService::new(config).expect("starts");
    let meter = service.temporal_meter();
    let own = attributes(&meter, &[("workflow_type", "T")]);
    meter.counter(named("temporal_workflow_completed", "")).add(1, &own);
    meter.histogram_duration(named("temporal_workflow_task_replay_latency", "")).record(Duration::ZERO, &own);
    let text = service.render();
    assert_eq!(types(&text), [""; 0]);
    assert_eq!(value(&text, "compozy_temporal_workflow_completed_total{workflow_type=\"T\"}"), 1.0);

    // Shut down, nothing is recorded; started again, it goes on.
    let counter: Arc<dyn Fn()> = Arc::new(move || meter.counter(named("temporal_workflow_completed", "")).add(1, &own));
    service.shutdown();
    counter();
    let again = MonitoringService::new(Config::default().enabled(true)).expect("starts again");
    let completed = "compozy_temporal_workflow_completed_total{workflow_type=\"T\"}";
    assert_eq!(value(&again.render(), completed), 1.0);
    counter();
    assert_eq!(value(&again.render(), completed), 2.0);

    // The meter is still there, and keeps nothing running.
    drop((service, again));
    let last = MonitoringService::new(Config::default().enabled(true)).expect("starts again");
    assert!(last.is_enabled());
    counter();
    assert_eq!(value(&last.render(), completed), 3.0);
}

#[test]
fn families_without_labels_are_there_from_the_start() {
    let service = MonitoringService::for_test();
    let text = service.render();
    assert_eq!(value(&text, "compozy_temporal_workers_running_total"), 0.0);
    assert_eq!(value(&text, "compozy_temporal_workers_configured_total"), 0.0);
    service.set_workers_configured(4);
    assert_eq!(value(&service.render(), "compozy_temporal_workers_configured_total"), 4.0);
}

#[test]
fn a_worker_that_ends_in_any_way_is_not_running() {
    let service = MonitoringService::for_test();
    let running = || value(&service.render(), "compozy_temporal_workers_running_total");
    let (first, second) = (service.track_worker(), service.track_worker());
    assert_eq!(running(), 2.0);
    drop(first);
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _running = service.track_worker();
        assert_eq!(running(), 2.0);
        panic!("as told");
    }));
    assert!(panics.is_err());
    let fails = || -> Result<(), &str> {
        let _running = service.track_worker();
        Err("as told")
    };
    assert!(fails().is_err());
    assert_eq!(running(), 1.0);
    let moved = std::thread::spawn(move || drop(second));
    moved.join().expect("no panic");
    assert_eq!(running(), 0.0);
}

#[test]
fn off_is_inert() {
    let service = MonitoringService::new(None).expect("starts");
    let meter = service.temporal_meter();
    let own = attributes(&meter, &[("workflow_type", "T")]);
    meter.counter(named("temporal_workflow_completed", "")).add(1, &own);
    let _running = service.track_worker();
    service.set_workers_configured(1);
    let mut options = temporalio_sdk::WorkerOptions::new("q").build();
    service.instrument_worker(&mut options);
    let _ = (service.temporal_runtime_options(), service.temporal_interceptor());
    assert_eq!(service.render(), "");
}
