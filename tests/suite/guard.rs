//! What the recorder does with labels, values and names that no compiler saw; one service a test.
#![cfg(feature = "prometheus")]

use crate::common;

use common::{allocations, log_of, samples, sum, value};
use compozy_monitoring::{MonitoringService, counter, metrics};

const REJECTED: &str = "compozy_monitoring_rejected_labels_total";
const OVERFLOWED: &str = "compozy_monitoring_overflowed_series_total";

compozy_monitoring::families! {
    /// Free text beside a closed set.
    gauge MIXED = "compozy_guard_mixed" { outcome: Outcome { Good = "good", Bad = "bad" }, queue: str };
    /// Closed.
    counter CLOSED = "compozy_guard_closed_total" { outcome: Outcome };
    /// Free text.
    counter TEXT = "compozy_guard_text_total" { queue: str };
    /// A closed set whose name is on no list.
    counter OWN = "compozy_guard_own_total" { region: Region { Europe = "eu", Asia = "ap" }, queue: str };
    /// Only such.
    gauge OWN_ONLY = "compozy_guard_own" { region: Region };
}

mod elsewhere {
    compozy_monitoring::families! {
        /// Free text.
        pub counter SAME = "compozy_guard_text_total" { queue: str };
    }
}

/// One name each, declared twice.
mod first {
    compozy_monitoring::families! {
        /// The same in both.
        pub counter SAME = "guard_twice_same_total" { payment: Payment { Card = "card", Cash = "cash" } };
        /// Another set.
        pub counter CLOSED = "guard_twice_closed_total" { payment: Payment };
        /// More labels.
        pub gauge MORE = "guard_twice_more" { payment: Payment };
        /// No labels.
        pub counter BARE = "guard_twice_bare_total";
        /// Free text.
        pub counter TEXT = "guard_twice_text_total" { queue: str };
        /// Other bounds.
        pub histogram BOUNDS = "guard_twice_seconds" buckets [1, 2];
        /// Another kind.
        pub counter KIND = "guard_twice_kind_total";
    }
}

mod second {
    compozy_monitoring::families! {
        /// The same in both.
        pub counter SAME = "guard_twice_same_total" { payment: Payment { Card = "card", Cash = "cash" } };
        /// Another set.
        pub counter CLOSED = "guard_twice_closed_total" { kind: Kind { Big = "big", Small = "small", Tiny = "tiny" } };
        /// More labels.
        pub gauge MORE = "guard_twice_more" { payment: Payment, kind: Kind };
        /// No labels.
        pub counter BARE = "guard_twice_bare_total" { kind: Kind };
        /// Free text.
        pub counter TEXT = "guard_twice_text_total" { kind: str };
        /// Other bounds.
        pub histogram BOUNDS = "guard_twice_seconds" buckets [1, 3];
        /// Another kind.
        pub histogram KIND = "guard_twice_kind_total" buckets [1];
    }
}

/// How many series a family shows.
fn count(text: &str, name: &str) -> usize {
    samples(text).keys().filter(|series| series.starts_with(&format!("{name}{{"))).count()
}

#[test]
fn labels_off_the_list_are_dropped_from_names_of_ours_and_from_no_other() {
    let service = MonitoringService::for_test();
    let log = log_of(|| {
        service.in_scope(|| {
            for user in ["7", "8", "9"] {
                metrics::counter!("compozy_jobs_total", "user_id" => user, "queue" => "q").increment(1);
                metrics::counter!("compozy.dotted_total", "user_id" => user).increment(1);
                metrics::counter!("jobs_total", "user_id" => user).increment(1);
                metrics::counter!("compozy_http_calls_total", "queue" => "q", "path" => "/").increment(1);
            }
        });
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_jobs_total{queue="q"}"#), 3.0);
    assert_eq!(value(&text, "compozy_dotted_total"), 3.0);
    assert_eq!(value(&text, r#"jobs_total{user_id="8"}"#), 1.0);
    assert_eq!(value(&text, r#"compozy_http_calls_total{path="/"}"#), 3.0);
    assert_eq!(value(&text, REJECTED), 9.0);
    assert_eq!(log.matches("WARN").count(), 3, "one line a family\n{log}");
    assert!(log.contains(r#"metric="compozy_jobs_total" label="user_id""#), "{log}");
}

#[test]
fn a_closed_set_needs_no_list_whichever_way_its_family_is_reached() {
    for used_before in [false, true] {
        let service = MonitoringService::for_test();
        service.in_scope(|| {
            if used_before {
                metrics::counter!("compozy_guard_own_total", "region" => "eu", "queue" => "q").increment(1);
                metrics::gauge!("compozy_guard_own").set(5);
            }
            OWN.with(Region::Europe, "q").increment(1);
            OWN.with(Region::Asia, "q").increment(2);
            OWN_ONLY.with(Region::Asia).set(3);
            metrics::counter!("compozy_guard_own_total", "region" => "ap", "queue" => "q").increment(4);
            metrics::gauge!("compozy_guard_own", "region" => "ap").increment(1);
        });
        let text = service.render();
        assert_eq!(value(&text, r#"compozy_guard_own_total{queue="q",region="eu"}"#), 1.0);
        assert_eq!(value(&text, r#"compozy_guard_own_total{queue="q",region="ap"}"#), 6.0);
        assert_eq!(value(&text, r#"compozy_guard_own{region="ap"}"#), 4.0);
        // The label of a name that nobody had declared yet.
        assert_eq!(value(&text, REJECTED), f64::from(u8::from(used_before)));
        service.in_scope(|| {
            OWN.remove(Region::Asia, "q");
            OWN_ONLY.remove(Region::Asia);
        });
        let text = service.render();
        assert!(!text.contains(r#"region="ap""#) && text.contains(r#"region="eu""#), "{text}");
        assert_eq!(text.contains("\ncompozy_guard_own 5"), used_before, "{text}");
    }
}

#[test]
fn a_removal_before_the_first_record_does_not_take_the_series_of_somebody_else() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        metrics::gauge!("compozy_guard_own").set(5);
        OWN_ONLY.remove(Region::Asia);
    });
    assert_eq!(value(&service.render(), "compozy_guard_own"), 5.0);
}

#[test]
fn of_two_labels_of_one_name_the_last_one_counts() {
    let service = MonitoringService::for_test();
    // A declared family and one that nobody declared.
    service.register(&TEXT);
    service.in_scope(|| {
        for (first, last) in [("a", "z"), ("b", "z")] {
            metrics::counter!("jobs_total", "queue" => first, "queue" => last).increment(1);
            metrics::counter!("compozy_guard_text_total", "queue" => first, "queue" => last).increment(1);
            TEXT.with(last).increment(1);
        }
    });
    let text = service.render();
    assert_eq!(value(&text, r#"jobs_total{queue="z"}"#), 2.0);
    assert_eq!(value(&text, r#"compozy_guard_text_total{queue="z"}"#), 4.0);
    assert_eq!(value(&text, REJECTED), 4.0);
}

#[test]
fn a_value_outside_its_closed_set_is_other_and_a_gauge_with_one_is_dropped() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        CLOSED.with(Outcome::Bad).increment(1);
        metrics::counter!("compozy_guard_closed_total", "outcome" => "ugly").increment(2);
        MIXED.with(Outcome::Good, "q").set(1);
        metrics::gauge!("compozy_guard_mixed", "outcome" => "ugly", "queue" => "q").set(2);
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_guard_closed_total{outcome="other"}"#), 2.0);
    assert_eq!(value(&text, r#"compozy_guard_mixed{outcome="good",queue="q"}"#), 1.0);
    assert_eq!(count(&text, "compozy_guard_mixed"), 1);
    assert_eq!(value(&text, REJECTED), 2.0);
}

#[test]
fn names_that_nobody_declared_have_a_cap_and_those_that_are_there_stay() {
    let service = MonitoringService::for_test();
    let log = log_of(|| {
        service.in_scope(|| {
            for i in 0..2_500 {
                metrics::counter!(format!("computed_{i}_total")).increment(1);
                metrics::describe_counter!(format!("described_{i}_total"), "text");
            }
            metrics::counter!("computed_1999_total").increment(1);
            TEXT.with("declared later").increment(1);
        });
    });
    let text = service.render();
    assert_eq!(text.matches("# TYPE computed_").count(), 2_000);
    assert_eq!(value(&text, "computed_1999_total"), 2.0);
    assert_eq!(value(&text, r#"compozy_guard_text_total{queue="declared later"}"#), 1.0);
    assert_eq!(value(&text, OVERFLOWED), 500.0);
    assert_eq!(log.matches("Too many undeclared metric names").count(), 1, "{log}");
}

#[test]
fn two_declarations_of_one_family_are_one_family_and_one_log_line() {
    let service = MonitoringService::for_test();
    let log = log_of(|| {
        service.in_scope(|| {
            for _ in 0..3 {
                TEXT.with("q").increment(1);
                elsewhere::SAME.with("q").increment(1);
            }
        });
    });
    assert_eq!(value(&service.render(), r#"compozy_guard_text_total{queue="q"}"#), 6.0);
    assert_eq!(log.matches("declared twice").count(), 1, "{log}");
    assert!(log.contains(r#"first="suite::guard" second="suite::guard::elsewhere""#), "{log}");
}

/// What is recorded through both declarations, and what the service shows of it.
fn record_both(service: &MonitoringService) {
    let log = log_of(|| {
        service.in_scope(|| {
            first::SAME.with(first::Payment::Cash).increment(1);
            first::CLOSED.with(first::Payment::Card).increment(1);
            first::MORE.with(first::Payment::Cash).set(1);
            first::BARE.increment(1);
            first::TEXT.with("card").increment(1);
            first::BOUNDS.record(2.5);
            first::KIND.increment(1);

            second::SAME.with(second::Payment::Cash).increment(1);
            let _handles = (second::SAME.with(second::Payment::Card), second::CLOSED.with(second::Kind::Small));
            second::CLOSED.with(second::Kind::Big).increment(100);
            second::CLOSED.with(second::Kind::Tiny).increment(100);
            let guard = second::MORE.with(second::Payment::Cash, second::Kind::Big).track();
            second::MORE.with(second::Payment::Cash, second::Kind::Tiny).set(100);
            drop(guard);
            second::BARE.with(second::Kind::Big).increment(100);
            second::TEXT.with("big").increment(100);
            second::BOUNDS.record(2.5);
            drop(second::BOUNDS.start_timer());
            second::KIND.record(1);
        });
    });
    let text = service.render();
    let shown: Vec<_> = samples(&text)
        .into_iter()
        .filter(|(series, value)| series.starts_with("guard_twice_") && *value != 0.0)
        .map(|(series, value)| format!("{series} {value}"))
        .collect();
    let expected = [
        "guard_twice_bare_total 1",
        r#"guard_twice_closed_total{payment="card"} 1"#,
        "guard_twice_kind_total 1",
        r#"guard_twice_more{payment="cash"} 1"#,
        r#"guard_twice_same_total{payment="cash"} 2"#,
        r#"guard_twice_seconds_bucket{le="+Inf"} 1"#,
        "guard_twice_seconds_count 1",
        "guard_twice_seconds_sum 2.5",
        r#"guard_twice_text_total{queue="card"} 1"#,
    ];
    assert_eq!(shown, expected, "{text}");
    assert_eq!(log.matches("declared twice, with different labels or buckets").count(), 5, "{log}");
    assert_eq!(log.matches("declared twice: both record").count(), 1, "{log}");
    assert!(value(&text, "compozy_monitoring_errors_total") >= 8.0, "{text}");
    assert_eq!(value(&text, "compozy_monitoring_health"), 0.0);
}

#[test]
fn a_second_declaration_that_is_another_one_never_writes_into_the_first() {
    record_both(&MonitoringService::for_test());
}

#[test]
fn a_second_declaration_that_is_another_one_never_writes_into_the_first_of_the_processs_service() {
    own_process!();
    record_both(&MonitoringService::new(compozy_monitoring::Config::default().enabled(true)).expect("valid"));
}

#[test]
fn a_kept_handle_is_not_looked_at_again() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        let user = String::from("7");
        let kept = [
            metrics::counter!("compozy_jobs_total", "user_id" => user.clone()),
            metrics::counter!("jobs_total", "queue" => "a", "queue" => "b"),
        ];
        let ours: compozy_monitoring::Counter = metrics::counter!("compozy_more_jobs_total", "user_id" => user).into();
        let record = || {
            kept.iter().for_each(|counter| counter.increment(1));
            ours.increment(1);
        };
        record();
        assert_eq!(allocations(|| (0..1_000).for_each(|_| record())), 0);
    });
    let text = service.render();
    assert_eq!(value(&text, "compozy_jobs_total"), 1_001.0);
    assert_eq!(value(&text, REJECTED), 3.0, "counted when the handle was made");
}

#[test]
fn hostile_values_are_kept_readable_and_their_series_bounded() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for i in 0..5_000 {
            let hostile = format!("{i}\n\u{0}\"\\{}", "é".repeat(300));
            TEXT.with(&hostile).increment(1);
            counter!("compozy_guard_open_total", "queue" => hostile.clone()).increment(1);
            metrics::histogram!("foreign_seconds", hostile.clone() => hostile).record(0.5);
        }
    });
    let text = service.render();
    for name in ["compozy_guard_text_total", "compozy_guard_open_total", "foreign_seconds_count"] {
        assert_eq!((count(&text, name), sum(&text, name)), (2_001, 5_000.0), "{name}");
    }
    assert!(text.lines().all(|line| line.chars().count() < 700));
}
