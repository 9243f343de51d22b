//! The lines that the specification fixes (sections 9.1 and 9.2), in every combination of features.

use crate::common;

use common::log_of;
use compozy_monitoring::{Config, MonitoringService};

#[test]
fn the_start_says_whether_monitoring_is_enabled() {
    own_process!();
    let log = log_of(|| drop(MonitoringService::new(None).expect("valid")));
    assert_eq!(log.matches("INFO").count(), 1, "{log}");
    assert!(log.contains("Initializing monitoring service enabled=false"), "{log}");
}

#[cfg(not(feature = "prometheus"))]
#[test]
fn an_enabled_configuration_without_the_feature_is_one_warning_that_names_it() {
    own_process!();
    let log = log_of(|| drop(MonitoringService::new(Config::default().enabled(true)).expect("valid")));
    assert!(log.contains("Initializing monitoring service enabled=true"), "{log}");
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(log.contains("without the feature `prometheus`"), "{log}");
}

#[cfg(feature = "prometheus")]
#[test]
fn the_end_says_once_why_monitoring_stopped() {
    own_process!();
    let start = || MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let (first, second) = (start(), start());
    let log = log_of(|| {
        // An inert one and a test's own say nothing; nor does a clone, nor a second call.
        drop(second);
        drop(MonitoringService::for_test());
        drop(first.clone());
        first.shutdown();
        first.clone().shutdown();
        drop(first);
    });
    assert_eq!(log.matches("Monitoring stopped").count(), 1, "{log}");
    assert!(log.contains(r#"INFO"#) && log.contains(r#"Monitoring stopped reason="it was shut down""#), "{log}");
    let service = start();
    let log = log_of(|| drop(service));
    assert!(log.contains(r#"Monitoring stopped reason="its last clone was dropped""#), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
    // A subscriber that has something to do then, such as to start the next one, does not wait for itself.
    struct Starts;
    impl tracing::Subscriber for Starts {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            if event.metadata().level() == &tracing::Level::INFO {
                tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || {
                    let _ = MonitoringService::new(Config::default().enabled(true)).map(|service| service.shutdown());
                });
            }
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }
    let service = start();
    tracing::subscriber::with_default(Starts, || drop(service));
}

#[cfg(feature = "prometheus")]
#[test]
fn a_second_service_is_one_error_and_a_bad_configuration_is_none() {
    own_process!();
    let first = MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let log = log_of(|| drop(MonitoringService::new(Config::default().enabled(true)).expect("inert")));
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
    assert!(log.contains("Prometheus exporter initialization failed error=\"another monitoring service"), "{log}");
    let log = log_of(|| assert!(MonitoringService::new(Config::default().path("x")).is_err()));
    assert_eq!(log, "", "the caller's error to handle");
    drop(first);
}

#[cfg(feature = "http-poem")]
#[test]
fn the_endpoint_says_where_it_is_when_it_is_on() {
    own_process!();
    let service = MonitoringService::for_test();
    let log = log_of(|| drop(service.metrics_endpoint()));
    assert_eq!(log.contains("Metrics endpoint registered path=\"/metrics\""), cfg!(feature = "prometheus"), "{log}");
    let off = MonitoringService::new(Config::default()).expect("valid");
    assert_eq!(log_of(|| drop(off.metrics_endpoint())), "");
}

/// Of the tests themselves: a line is not lost because another test came to it first.
#[test]
fn a_line_that_another_thread_meets_first_is_seen() {
    own_process!();
    let log = log_of(|| {
        let say = || tracing::warn!("met elsewhere first");
        std::thread::spawn(say).join().expect("no panic");
        say();
    });
    assert_eq!(log.matches("met elsewhere first").count(), 1, "{log}");
}
