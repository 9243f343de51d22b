//! Labels of the configuration: checked at the start, on every series of the text.
#![cfg(feature = "prometheus")]

use compozy_monitoring::{Config, MonitoringService, build_info, metrics};

use crate::common::{log_of, promtool, samples};

compozy_monitoring::families! {
    /// Closed, and named as a constant label.
    counter OWN = "compozy_constant_own_total" { zone: Zone { A = "own-a", B = "own-b" } };
    /// Free text.
    histogram TIME = "compozy_constant_time_seconds" { queue: str };
    /// Without labels.
    gauge PLAIN = "compozy_constant_plain";
}

#[test]
fn constant_labels_are_on_every_series_escaped_and_a_family_keeps_its_own() {
    own_process!();
    let labels = [("zone", "eu-1\"a\\"), ("app", "shop")];
    let service = MonitoringService::new(Config::default().enabled(true).constant_labels(labels)).unwrap();
    build_info!(service);
    OWN.with(Zone::A).increment(1);
    TIME.with("q").record(0.1);
    PLAIN.set(1);
    metrics::histogram!("foreign_constant_size", "x" => "1").record(1.0);
    metrics::counter!("foreign_constant_total", "app" => "theirs").increment(1);
    let hidden = |log: &str| log.matches("A constant label of the configuration is a label of this family").count();
    let mut text = String::new();
    let log = log_of(|| (0..2).for_each(|_| text = service.render()));
    assert_eq!(hidden(&log), 2, "once a family: {log}");
    for line in [
        r#"compozy_constant_own_total{app="shop",zone="own-a"} 1"#,
        r#"compozy_constant_time_seconds_bucket{app="shop",queue="q",zone="eu-1\"a\\",le="0.1"} 1"#,
        r#"compozy_constant_time_seconds_count{app="shop",queue="q",zone="eu-1\"a\\"} 1"#,
        r#"compozy_constant_plain{app="shop",zone="eu-1\"a\\"} 1"#,
        r#"foreign_constant_size_count{app="shop",x="1",zone="eu-1\"a\\"} 1"#,
        r#"foreign_constant_total{app="theirs",zone="eu-1\"a\\"} 1"#,
    ] {
        assert!(text.lines().any(|known| known == line), "no line {line} in\n{text}");
    }
    assert!(samples(&text).keys().all(|series| series.contains("app=") && series.contains("zone=")), "{text}");
    assert_eq!(promtool(&text), "");
    // Stored nowhere.
    assert_eq!(service.snapshot().value("compozy_constant_plain", &[]), Some(1.0));
    service.shutdown();
    // The next service of the process has its own.
    let log = log_of(|| {
        let service = MonitoringService::new(Config::default().enabled(true).constant_labels([("zone", "b")])).unwrap();
        for _ in 0..2 {
            let text = service.render();
            assert!(text.contains(r#"compozy_constant_plain{zone="b"} 1"#) && !text.contains("shop"), "{text}");
        }
    });
    // Once a family, in the first service already.
    assert_eq!(hidden(&log), 0, "{log}");
}

#[test]
fn what_cannot_be_on_every_series_is_refused_at_the_start() {
    for (name, value, problem) in [
        ("path", "x", "`path` is a label of families"),
        ("queue", "x", "`queue` is a label of families"),
        ("le", "x", "`le` is a reserved label"),
        ("__name__", "x", "`__name__` is a reserved label"),
        ("user_id", "x", "`user_id` speaks of a person or of one request"),
        ("Zone", "x", "`Zone` is no label name"),
        ("a.b", "x", "`a.b` is no label name"),
        ("", "x", "`` is no label name"),
        ("zone", "", "the value `` of `zone` cannot be a label value"),
        ("zone", "a\nb", "cannot be a label value"),
        ("zone", &"x".repeat(129), "cannot be a label value"),
    ] {
        for enabled in [false, true] {
            let config = Config::default().enabled(enabled).constant_labels([(name, value)]);
            let error = MonitoringService::new(config).unwrap_err().to_string();
            assert!(error.starts_with("monitoring configuration, constant_labels: "), "{error}");
            assert!(error.contains(problem) && error.contains("; accepted: "), "{error}");
        }
    }
}
