//! Somebody else's global recorder is there first: an error in the log, an inert service, and the application runs on.
#![cfg(feature = "prometheus")]

use crate::common;

use compozy_monitoring::{Config, MonitoringService, counter, metrics};

#[test]
fn a_foreign_global_recorder_leaves_the_service_inert() {
    own_process!();
    metrics::set_global_recorder(metrics::NoopRecorder).expect("the first");
    for _ in 0..2 {
        let mut started = None;
        let log = common::log_of(|| started = MonitoringService::new(Config::default().enabled(true)).ok());
        assert!(log.contains("ERROR") && log.contains("Prometheus exporter initialization failed error="), "{log}");
        let service = started.expect("not a bad configuration");
        assert!(!service.is_enabled());
        counter!("compozy_nothing_total").increment(1);
        assert_eq!(service.render(), "");
    }
    // Tests are not disturbed.
    let service = MonitoringService::for_test();
    service.in_scope(|| counter!("compozy_nothing_total").increment(1));
    assert!(service.render().contains("compozy_nothing_total 1"));
}
