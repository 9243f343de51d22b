//! The public contract of the design, as a program that only has to compile, and the values that it fixes.
#![deny(warnings)]

use compozy_monitoring::{Config, ConfigError, Counter, Gauge, Histogram, MonitoringService, build_info, metrics};

fn is_shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}

#[test]
fn the_configuration_has_the_defaults_of_the_specification_and_goes_through_serde() {
    let config = Config::default();
    assert_eq!((config.enabled, config.path.as_str()), (false, "/metrics"));
    let other = Config::default().enabled(true).path("/m");
    assert_ne!(config, other);
    fn round_trip<T: serde::Serialize + for<'a> serde::Deserialize<'a>>() {}
    round_trip::<Config>();
    let error: ConfigError = MonitoringService::new(Config::default().path("m")).expect_err("not absolute");
    let _: &dyn std::error::Error = &error;
}

#[test]
fn a_service_is_made_of_a_configuration_or_of_none() {
    is_shared::<MonitoringService>();
    for service in [
        MonitoringService::new(None).expect("valid"),
        MonitoringService::new(Config::default()).expect("valid"),
        MonitoringService::new(Some(Config::default().path("/m"))).expect("valid"),
    ] {
        assert!(!service.is_enabled());
        assert_eq!(service.render(), "");
        assert!(["/metrics", "/m"].contains(&service.path()));
        let _: &dyn metrics::Recorder = service.recorder();
        build_info!(service);
        assert_eq!(service.in_scope(|| 5), 5);
        service.shutdown();
        service.shutdown();
    }
}

#[test]
fn handles_convert_both_ways() {
    is_shared::<(Counter, Gauge, Histogram)>();
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        let counter: Counter = metrics::counter!("compozy_converted_total").into();
        counter.increment(1);
        let counter: metrics::Counter = compozy_monitoring::counter!("compozy_converted_total").into();
        counter.increment(2);
        let gauge: metrics::Gauge = Gauge::from(metrics::gauge!("compozy_converted_level")).into();
        gauge.set(4.0);
        let histogram: metrics::Histogram = compozy_monitoring::histogram!("compozy_converted_seconds").into();
        histogram.record(0.5);
        let _: metrics::Counter = Counter::noop().into();
    });
    if cfg!(feature = "prometheus") {
        let text = service.render();
        for line in ["compozy_converted_total 3", "compozy_converted_level 4", "compozy_converted_seconds_count 1"] {
            assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
        }
    }
}

#[tokio::test]
async fn a_scope_holds_across_awaits_and_while_the_future_is_dropped() {
    struct Bump;
    impl Drop for Bump {
        fn drop(&mut self) {
            compozy_monitoring::counter!("compozy_scoped_total").increment(100);
        }
    }
    let service = MonitoringService::for_test();
    let scoped = service.scope(async {
        compozy_monitoring::counter!("compozy_scoped_total").increment(1);
        tokio::task::yield_now().await;
        compozy_monitoring::counter!("compozy_scoped_total").increment(10);
    });
    scoped.await;
    let dropped = service.scope(async {
        let _bump = Bump;
        std::future::pending::<()>().await;
    });
    let _ = tokio::time::timeout(std::time::Duration::from_millis(1), dropped).await;
    if cfg!(feature = "prometheus") {
        assert!(service.render().contains("compozy_scoped_total 111"), "{}", service.render());
    }
}
