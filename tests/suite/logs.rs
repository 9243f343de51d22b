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
