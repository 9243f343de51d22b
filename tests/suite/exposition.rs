//! The text: sorted, each family once, whatever lives where; one service a test. (Known faults 6 and 17.)
#![cfg(feature = "prometheus")]

use crate::common;

use common::{samples, value};
use compozy_monitoring::{MonitoringService, counter, describe_counter, metrics};

compozy_monitoring::families! {
    /// Declared, and named by others before it is touched.
    counter LATE = "compozy_late_total" { queue: str };
    /// A back\slash and a "quote".
    gauge HELP = "compozy_help";
    /// A gauge with free text.
    gauge LEVEL = "compozy_level" { queue: str };
    /// A histogram.
    histogram TIME = "compozy_time_seconds" { queue: str };
    /// A set that has the value of what is folded.
    counter NAMED_OTHER = "compozy_named_other_total" { outcome: C { One = "one", Other = "other" } };
    /// A closed label beside free text.
    counter MIXED = "compozy_mixed_total" { outcome: C, queue: str };
    /// A raw identifier, and a set whose index is wrong.
    counter WRONG = "compozy_wrong_total" { kind: Wrong };
    /// The same twice.
    counter PAIR = "compozy_wrong_pair_total" { kind: Wrong, priority: Wrong };
    /// A label that is a keyword.
    counter KEYWORD = "compozy_keyword_total" { r#type: str };
    /// Closed sets.
    counter CLOSED = "compozy_closed_total" { priority: B { X = "x", Y = "y" }, kind: A { One = "1", Two = "2", Three = "3" } };
}

/// Family names in the order of the text.
fn families(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn families_series_and_labels_are_sorted_and_every_render_is_the_same() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for queue in ["z", "a", "m", "b", "é", "A"] {
            TIME.with(queue).record(0.1);
            metrics::counter!("zz_foreign_total", "z" => queue.to_owned(), "a" => "1").increment(1);
            metrics::histogram!("aa_foreign", "q" => queue.to_owned()).record(0.5);
            metrics::histogram!("mm_foreign_seconds", "q" => queue.to_owned()).record(0.5);
        }
        CLOSED.with(B::Y, A::Two).increment(1);
        KEYWORD.with("x").increment(1);
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_keyword_total{type="x"}"#), 1.0);
    let names = families(&text);
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "mm_foreign_seconds").count(), 1);
    for name in ["zz_foreign_total", "compozy_time_seconds_sum", "compozy_closed_total", "aa_foreign_count"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).collect();
        assert!(lines.len() >= 6 && lines.is_sorted(), "{lines:#?}");
    }
    assert!(text.contains(r#"zz_foreign_total{a="1",z="a"} 1"#));
    assert!(
        text.contains(r#"compozy_closed_total{kind="2",priority="y"} 1"#)
            && text.contains(r#"compozy_closed_total{kind="3",priority="x"} 0"#)
    );
    let without_uptime = |text: &str| text.lines().filter(|l| !l.contains("uptime")).collect::<Vec<_>>().join("\n");
    for _ in 0..5 {
        assert_eq!(without_uptime(&service.render()), without_uptime(&text));
    }
}

/// The samples of one family, in the order of the text.
fn lines<'a>(text: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
    text.lines().filter(of).filter_map(|line| line.strip_prefix(name)?.rsplit_once(' ')).collect()
}

#[test]
fn what_comes_between_two_scrapes_is_sorted_into_the_second() {
    let service = MonitoringService::for_test();
    let count = |queues: &[&str]| {
        service.in_scope(|| {
            for queue in queues {
                LATE.with(queue).increment(1);
                counter!("compozy_open_total", "queue" => (*queue).to_owned()).increment(1);
            }
        });
    };
    let expect = |rows: &[(&str, u64)]| {
        let text = service.render();
        let rows: Vec<_> = rows.iter().map(|(queue, n)| (format!("{{queue=\"{queue}\"}}"), n.to_string())).collect();
        for name in ["compozy_late_total", "compozy_open_total"] {
            let all = lines(&text, name).into_iter().map(|(labels, n)| (labels.to_owned(), n.to_owned()));
            assert_eq!(all.collect::<Vec<_>>(), rows, "{name}");
        }
    };
    count(&["m", "d", "t"]);
    expect(&[("d", 1), ("m", 1), ("t", 1)]);
    expect(&[("d", 1), ("m", 1), ("t", 1)]);
    count(&["z", "a", "h", "m", "dd", "D"]);
    expect(&[("D", 1), ("a", 1), ("d", 1), ("dd", 1), ("h", 1), ("m", 2), ("t", 1), ("z", 1)]);
    count(&["zz"]);
    expect(&[("D", 1), ("a", 1), ("d", 1), ("dd", 1), ("h", 1), ("m", 2), ("t", 1), ("z", 1), ("zz", 1)]);
}

#[test]
fn the_series_of_what_is_folded_stands_where_its_text_belongs() {
    for (place, first) in [(0, "p"), (1_000, "mz"), (2_000, "a")] {
        let service = MonitoringService::for_test();
        service.in_scope(|| {
            for i in 0..2_005 {
                let start = first.chars().nth(i % first.len()).unwrap_or_default();
                LATE.with(&format!("{start}{i}")).increment(1);
                counter!("compozy_open_total", "queue" => format!("{start}{i}")).increment(1);
            }
        });
        let text = service.render();
        for name in ["compozy_late_total", "compozy_open_total"] {
            let all = lines(&text, name);
            assert!(all.iter().map(|(labels, _)| *labels).is_sorted(), "{name}, {first}");
            assert_eq!(all.get(place), Some(&(r#"{queue="other"}"#, "5")), "{name}, {first}");
            assert_eq!(all.len(), 2_001, "{name}, {first}");
        }
    }
}

#[test]
fn one_order_of_labels_or_another_is_one_series() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        metrics::counter!("foreign_total", "a" => "1", "b" => "2").increment(1);
        metrics::counter!("foreign_total", "b" => "2", "a" => "1").increment(2);
        metrics::counter!("foreign.total", "b" => "2", "a" => "1").increment(4);
    });
    assert_eq!(value(&service.render(), r#"foreign_total{a="1",b="2"}"#), 7.0);
    assert_eq!(samples(&service.render()).keys().filter(|s| s.starts_with("foreign")).count(), 1);
}

#[test]
fn a_name_that_others_used_before_its_family_was_touched_stays_one_family() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        metrics::counter!("compozy_late_total", "queue" => "a").increment(1);
        let kept: compozy_monitoring::Counter = metrics::counter!("compozy_late_total", "queue" => "a").into();
        LATE.with("a").increment(2);
        LATE.with("b").increment(5);
        kept.increment(4);
        counter!("compozy_late_total", "queue" => "a").increment(8);
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_late_total{queue="a"}"#), 15.0);
    assert_eq!(value(&text, r#"compozy_late_total{queue="b"}"#), 5.0);
    assert_eq!(families(&text).iter().filter(|name| **name == "compozy_late_total").count(), 1);
    assert!(text.contains("# HELP compozy_late_total Declared, and named by others before it is touched."));
}

#[test]
fn one_name_as_two_kinds_is_refused_counted_and_printed_once() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        metrics::gauge!("foreign_thing").set(1);
        metrics::counter!("foreign_thing").increment(5);
        CLOSED.with(B::X, A::One).increment(1);
        metrics::gauge!("compozy_closed_total", "kind" => "1", "priority" => "x").set(9);
        metrics::histogram!("compozy_monitoring_health").record(1);
    });
    let text = service.render();
    assert_eq!(value(&text, "foreign_thing"), 1.0);
    assert_eq!(value(&text, r#"compozy_closed_total{kind="1",priority="x"}"#), 1.0);
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), 3.0);
    assert_eq!(value(&text, "compozy_monitoring_health"), 0.0);
    let names = families(&text);
    assert_eq!(names.len(), names.iter().collect::<std::collections::HashSet<_>>().len());
}

#[test]
fn help_is_escaped_and_the_declaration_wins_over_a_description() {
    let service = MonitoringService::for_test();
    service.register(&HELP);
    service.in_scope(|| {
        metrics::describe_gauge!("compozy_help", "something else");
        describe_counter!("compozy_described_total", "one\nbreak and one \\ slash");
        describe_counter!("compozy_described_total", "described twice");
        counter!("compozy_described_total").increment(1);
    });
    let text = service.render();
    assert!(text.contains("# HELP compozy_help A back\\\\slash and a \"quote\".\n"), "{text}");
    assert!(text.contains("# HELP compozy_described_total one\\nbreak and one \\\\ slash\n"), "{text}");
    assert_eq!(text.matches("# HELP compozy_described_total").count(), 1);
}

#[test]
fn a_declared_family_reached_by_name_matches_labels_by_name() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        CLOSED.with(B::Y, A::Three).increment(1);
        metrics::counter!("compozy_closed_total", "kind" => "3", "priority" => "y").increment(1);
        // A value outside the set, and a label that the family does not have.
        metrics::counter!("compozy_closed_total", "kind" => "4", "priority" => "y").increment(4);
        metrics::counter!("compozy_closed_total", "kind" => "3", "priority" => "y", "user" => "7").increment(1);
        LEVEL.with("q").set(5);
        metrics::gauge!("compozy_level", "queue" => "q", "user" => "7").increment(1);
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_closed_total{kind="3",priority="y"}"#), 3.0);
    assert_eq!(value(&text, r#"compozy_closed_total{kind="other",priority="other"}"#), 4.0);
    assert_eq!(value(&text, r#"compozy_level{queue="q"}"#), 6.0);
    assert_eq!(value(&text, "compozy_monitoring_rejected_labels_total"), 3.0);
    assert!(!text.contains("user"));
}

#[test]
fn the_cap_folds_and_says_so() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        LATE.with("first").increment(1);
        for i in 0..3_000 {
            LATE.with(&format!("q{i}")).increment(1);
            LEVEL.with(&format!("q{i}")).set(1);
        }
        LATE.with("first").increment(1);
    });
    let text = service.render();
    assert_eq!(common::sum(&text, "compozy_late_total"), 3_002.0);
    assert_eq!(value(&text, r#"compozy_late_total{queue="first"}"#), 2.0);
    assert_eq!(value(&text, r#"compozy_late_total{queue="other"}"#), 1_001.0);
    assert_eq!(samples(&text).keys().filter(|series| series.starts_with("compozy_late_total{")).count(), 2_001);
    // Two gauges in one series would overwrite each other: those over the cap are dropped.
    assert_eq!(samples(&text).keys().filter(|series| series.starts_with("compozy_level{")).count(), 2_000);
    assert_eq!(value(&text, "compozy_monitoring_overflowed_series_total"), 2_001.0);
}

#[test]
fn samples_that_are_no_numbers_are_dropped_and_counted() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        TIME.with("q").record(f64::NAN);
        TIME.with("q").record(1.0);
        TIME.with("q").record(f64::INFINITY);
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_time_seconds_count{queue="q"}"#), 2.0);
    assert!(text.contains("compozy_time_seconds_sum{queue=\"q\"} +Inf\n"));
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), 1.0);
    assert_eq!(value(&service.render(), "compozy_monitoring_errors_total"), 1.0);
}

/// No series twice, whatever the labels: promtool does not look.
#[track_caller]
fn no_series_twice(text: &str) {
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(text).len(), lines, "a series is printed twice in\n{text}");
}

#[test]
fn a_value_that_is_called_other_and_what_is_folded_are_one_series() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        NAMED_OTHER.with(C::Other).increment(1);
        metrics::counter!("compozy_named_other_total", "outcome" => "none of them").increment(5);
        LATE.with("other").increment(1);
        counter!("compozy_open_total", "queue" => "other").increment(1);
        for i in 0..2_005 {
            LATE.with(&format!("q{i}")).increment(1);
            counter!("compozy_open_total", "queue" => format!("q{i}")).increment(1);
        }
        LATE.with("other").increment(1);
        counter!("compozy_open_total", "queue" => "other").increment(1);
    });
    let text = service.render();
    no_series_twice(&text);
    assert_eq!(value(&text, r#"compozy_named_other_total{outcome="other"}"#), 6.0);
    assert_eq!(value(&text, r#"compozy_late_total{queue="other"}"#), 8.0);
    assert_eq!(value(&text, r#"compozy_open_total{queue="other"}"#), 8.0);
}

#[test]
fn a_closed_label_stays_closed_whatever_stands_beside_it_and_however_it_is_reached() {
    let service = MonitoringService::for_test();
    service.register(&MIXED);
    service.in_scope(|| {
        metrics::counter!("compozy_mixed_total", "outcome" => "bogus", "queue" => "1").increment(2);
        metrics::counter!("compozy_mixed_total", "queue" => "1").increment(3);
        metrics::counter!("compozy_http_requests_total", "method" => "BREW", "path" => "/", "status_code" => "200")
            .increment(1);
        // A hand-written set whose index is wrong.
        WRONG.with(Wrong(7)).increment(4);
        WRONG.with(Wrong(1)).increment(1);
        PAIR.with(Wrong(usize::MAX), Wrong(usize::MAX)).increment(2);
        PAIR.with(Wrong(1), Wrong(7)).increment(1);
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_mixed_total{outcome="other",queue="1"}"#), 5.0);
    assert!(!text.contains("bogus"));
    #[cfg(feature = "http-poem")]
    assert!(!text.contains("BREW"));
    assert_eq!(value(&text, r#"compozy_wrong_total{kind="other"}"#), 4.0);
    assert_eq!(value(&text, r#"compozy_wrong_total{kind="b"}"#), 1.0);
    assert_eq!(value(&text, r#"compozy_wrong_total{kind="a"}"#), 0.0);
    assert_eq!(value(&text, r#"compozy_wrong_pair_total{kind="other",priority="other"}"#), 3.0);
}

#[test]
fn nobody_takes_a_name_of_the_catalogue_or_a_part_of_a_histogram() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        metrics::gauge!("compozy_build_info", "x" => "y").set(3);
        metrics::histogram!("lib_seconds").record(0.5);
        metrics::counter!("lib_seconds_count").increment(1);
        metrics::gauge!("lib_seconds_bucket").set(1);
        metrics::counter!("size_sum").increment(1);
        metrics::histogram!("size").record(0.5);
        TIME.with("q").record(0.5);
        metrics::counter!("compozy_time_seconds_sum").increment(1);
    });
    compozy_monitoring::build_info!(service);
    let text = service.render();
    no_series_twice(&text);
    assert!(!text.contains("x=\"y\""));
    for refused in
        ["# TYPE lib_seconds_count", "# TYPE lib_seconds_bucket", "# TYPE size ", "# TYPE compozy_time_seconds_sum"]
    {
        assert!(!text.contains(refused), "{refused} in\n{text}");
    }
    assert_eq!(value(&text, "compozy_monitoring_errors_total"), 4.0);
}

#[test]
fn an_empty_value_is_an_absent_label_and_help_has_no_control_characters() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        describe_counter!("open_total", "a\rb\u{0}c\nd");
        metrics::counter!("open_total").increment(1);
        metrics::counter!("open_total", "a" => "").increment(2);
    });
    let text = service.render();
    assert_eq!(value(&text, "open_total"), 3.0);
    assert!(text.contains("# HELP open_total a\u{fffd}b\u{fffd}c\\nd\n"), "{text}");
}

#[derive(Clone, Copy)]
struct Wrong(usize);

impl compozy_monitoring::ClosedLabel for Wrong {
    const VALUES: &'static [&'static str] = &["a", "b"];
    fn index(self) -> usize {
        self.0
    }
}

#[test]
fn services_of_parallel_tests_see_nothing_of_each_other() {
    let services: Vec<MonitoringService> = (0..8).map(|_| MonitoringService::for_test()).collect();
    std::thread::scope(|scope| {
        for (i, service) in services.iter().enumerate() {
            scope.spawn(move || {
                service.in_scope(|| {
                    for _ in 0..=i {
                        counter!("compozy_hermetic_total").increment(1);
                        LATE.with("x").increment(1);
                        metrics::counter!("hermetic_total").increment(1);
                    }
                })
            });
        }
    });
    for (i, service) in services.iter().enumerate() {
        let text = service.render();
        for name in ["compozy_hermetic_total", r#"compozy_late_total{queue="x"}"#, "hermetic_total"] {
            assert_eq!(value(&text, name), i as f64 + 1.0);
        }
    }
}

mod buckets {
    use super::*;

    compozy_monitoring::families! {
        /// By the unit.
        histogram PAYLOAD = "compozy_buckets_payload_bytes" { queue: str };
        /// Its own bounds, in a dense table.
        histogram TOKENS = "compozy_buckets_tokens" buckets [-1, 0.5, 16, 1e6] { model: Model { Small = "small", Large = "large" } };
        /// Its own bounds, of free text.
        histogram TOKENS_OF = "compozy_buckets_tokens_of" buckets [16, 64] { queue: str };
        /// A family in seconds.
        histogram JOBS = "compozy_buckets_job_seconds" buckets [60, 3_600, 86_400];
    }

    mod elsewhere {
        compozy_monitoring::families! {
            /// The same name with other bounds.
            pub histogram JOBS = "compozy_buckets_job_seconds" buckets [60];
        }
    }

    /// The label `le` of a family, and the counts.
    fn buckets(text: &str, name: &str) -> String {
        let bucket = |line: &str| {
            let (labels, count) = line.strip_prefix(name)?.strip_prefix("_bucket{")?.rsplit_once("} ")?;
            let bound = labels.split_once("le=\"")?.1.split_once('"')?.0;
            Some(format!("{bound}:{count}"))
        };
        text.lines().filter_map(bucket).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn bounds_follow_the_unit_or_the_declaration_wherever_a_name_is_recorded() {
        let service = MonitoringService::for_test();
        service.in_scope(|| {
            for size in [100_u32, 101, 5_000_000] {
                PAYLOAD.with("q").record(size);
                compozy_monitoring::histogram!("compozy_buckets_body_bytes").record(size);
                metrics::histogram!("foreign_buckets_bytes").record(size);
                compozy_monitoring::histogram!("compozy_buckets_payload_bytes", "queue" => "q").record(size);
            }
            TOKENS.with(Model::Small).record(16);
            TOKENS.with(Model::Small).record(17);
            TOKENS_OF.with("q").record(65);
            JOBS.record(std::time::Duration::from_secs(3_600));
            metrics::histogram!("compozy_buckets_job_seconds").record(1.0);
        });
        let text = service.render();
        let bytes = |one: &str| {
            format!(
                "100:{one}1 1000:{one}2 10000:{one}2 100000:{one}2 1000000:{one}2 10000000:{one}3 100000000:{one}3 +Inf:{one}3"
            )
        };
        let twice = "100:2 1000:4 10000:4 100000:4 1000000:4 10000000:6 100000000:6 +Inf:6";
        assert_eq!(buckets(&text, "compozy_buckets_payload_bytes"), twice);
        assert_eq!(buckets(&text, "compozy_buckets_body_bytes"), bytes(""));
        assert_eq!(buckets(&text, "foreign_buckets_bytes"), bytes(""));
        let both = "-1:0 0.5:0 16:0 1000000:0 +Inf:0 -1:0 0.5:0 16:1 1000000:2 +Inf:2";
        assert_eq!(buckets(&text, "compozy_buckets_tokens"), both);
        assert_eq!(buckets(&text, "compozy_buckets_tokens_of"), "16:0 64:0 +Inf:1");
        assert_eq!(buckets(&text, "compozy_buckets_job_seconds"), "60:1 3600:2 86400:2 +Inf:2");
    }

    #[test]
    fn a_removed_series_begins_anew_with_its_own_bounds() {
        let service = MonitoringService::for_test();
        service.in_scope(|| {
            TOKENS.with(Model::Small).record(1);
            TOKENS_OF.with("q").record(1);
            TOKENS.clear();
            TOKENS_OF.clear();
            TOKENS.with(Model::Small).record(20);
            TOKENS_OF.with("q").record(20);
        });
        let text = service.render();
        assert_eq!(buckets(&text, "compozy_buckets_tokens"), "-1:0 0.5:0 16:0 1000000:1 +Inf:1");
        assert_eq!(buckets(&text, "compozy_buckets_tokens_of"), "16:0 64:1 +Inf:1");
    }

    #[test]
    fn one_name_with_two_lists_of_bounds_is_a_fault_that_is_logged() {
        let service = MonitoringService::for_test();
        let log = crate::common::log_of(|| {
            service.in_scope(|| {
                JOBS.record(1);
                elsewhere::JOBS.record(1);
            });
        });
        assert!(log.contains("declared twice, with different labels or buckets"), "{log}");
        assert_eq!(buckets(&service.render(), "compozy_buckets_job_seconds"), "60:1 3600:1 86400:1 +Inf:1");
    }
}
