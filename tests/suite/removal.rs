//! Series of what is gone: `remove` and `clear` of declared families, of all kinds, however their series are stored.
#![cfg(feature = "prometheus")]

use crate::common;

use std::sync::{
    Barrier,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use common::{figure, grouped, left_behind, size, sum, value};
use compozy_monitoring::{Config, Counter, Gauge, MonitoringService, counter, gauge, metrics};

compozy_monitoring::families! {
    /// Closed.
    counter CLOSED = "compozy_removal_closed_total" { outcome: Outcome { Good = "good", Bad = "bad" }, priority: Priority { Low = "low", High = "high" } };
    /// Closed.
    gauge LEVEL = "compozy_removal_level" { outcome: Outcome };
    /// Closed.
    histogram TIME = "compozy_removal_time_seconds" { outcome: Outcome };
    /// Without labels.
    counter PLAIN = "compozy_removal_plain_total";
    /// Free text.
    counter TEXT = "compozy_removal_text_total" { queue: str };
    /// Free text beside a closed set.
    gauge MIXED = "compozy_removal_mixed" { outcome: Outcome, queue: str };
    /// Free text.
    histogram LONG = "compozy_removal_long_seconds" { queue: str };
    /// Used before it is declared.
    counter OPEN = "compozy_removal_open_total" { queue: str };
    /// The process's.
    gauge SESSIONS = "compozy_removal_sessions" { queue: str };
    /// The process's.
    counter RACED = "compozy_removal_raced_total" { queue: str };
    /// The process's.
    histogram RACED_CLOSED = "compozy_removal_raced_seconds" { outcome: Outcome };
    /// The process's.
    histogram RACED_TEXT = "compozy_removal_raced_text_seconds" { queue: str };
    /// The process's.
    gauge STOPPED = "compozy_removal_stopped" { queue: str };
}

/// The series of a family, as the text has them.
fn lines(service: &MonitoringService, name: &str) -> Vec<String> {
    let text = service.render();
    let of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    text.lines().filter(of).map(|line| line[name.len()..].to_owned()).collect()
}

#[test]
fn a_removed_series_is_gone_and_begins_at_zero_when_it_is_recorded_again() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        CLOSED.with(Outcome::Good, Priority::Low).increment(5);
        CLOSED.with(Outcome::Bad, Priority::High).increment(6);
        CLOSED.remove(Outcome::Good, Priority::Low);
        LEVEL.with(Outcome::Good).set(5);
        LEVEL.remove(Outcome::Good);
        TIME.with(Outcome::Bad).record(0.5);
        TIME.remove(Outcome::Bad);
        for queue in ["mail", "file"] {
            TEXT.with(queue).increment(5);
            MIXED.with(Outcome::Bad, queue).set(7);
            LONG.with(queue).record(0.5);
        }
        TEXT.remove("mail");
        MIXED.remove(Outcome::Bad, "mail");
        LONG.remove("mail");
        // Of what is not there, nothing happens.
        TEXT.remove("nowhere");
        MIXED.remove(Outcome::Good, "file");
    });
    let closed = [
        r#"{outcome="bad",priority="high"} 6"#,
        r#"{outcome="bad",priority="low"} 0"#,
        r#"{outcome="good",priority="high"} 0"#,
    ];
    assert_eq!(lines(&service, "compozy_removal_closed_total"), closed);
    assert_eq!(lines(&service, "compozy_removal_level"), [r#"{outcome="bad"} 0"#]);
    assert_eq!(lines(&service, "compozy_removal_time_seconds_count"), [r#"{outcome="good"} 0"#]);
    assert_eq!(lines(&service, "compozy_removal_text_total"), [r#"{queue="file"} 5"#]);
    assert_eq!(lines(&service, "compozy_removal_mixed"), [r#"{outcome="bad",queue="file"} 7"#]);
    assert_eq!(lines(&service, "compozy_removal_long_seconds_sum"), [r#"{queue="file"} 0.5"#]);

    // Again, with what shows it: also a gauge that is set to 0, and a counter that nothing is added to.
    service.in_scope(|| {
        CLOSED.with(Outcome::Good, Priority::Low).increment(0);
        LEVEL.with(Outcome::Good).set(0);
        TIME.with(Outcome::Bad).record(0.25);
        TEXT.with("mail").increment(1);
        MIXED.with(Outcome::Bad, "mail").increment(1);
        LONG.with("mail").record(0.25);
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_removal_closed_total{outcome="good",priority="low"}"#), 0.0);
    assert_eq!(value(&text, r#"compozy_removal_level{outcome="good"}"#), 0.0);
    assert_eq!(value(&text, r#"compozy_removal_time_seconds_sum{outcome="bad"}"#), 0.25);
    assert_eq!(value(&text, r#"compozy_removal_time_seconds_count{outcome="bad"}"#), 1.0);
    assert_eq!(value(&text, r#"compozy_removal_text_total{queue="mail"}"#), 1.0);
    assert_eq!(value(&text, r#"compozy_removal_mixed{outcome="bad",queue="mail"}"#), 1.0);
    assert_eq!(value(&text, r#"compozy_removal_long_seconds_sum{queue="mail"}"#), 0.25);

    service.in_scope(|| {
        for clear in [|| CLOSED.clear(), || LEVEL.clear(), || TIME.clear(), || TEXT.clear(), || MIXED.clear()] {
            clear();
            clear();
        }
        LONG.clear();
        PLAIN.increment(3);
        PLAIN.clear();
    });
    assert!(!service.render().contains("compozy_removal_"), "{}", service.render());
    service.in_scope(|| PLAIN.increment(1));
    assert_eq!(lines(&service, "compozy_removal_plain_total"), [" 1"]);
    assert_eq!(value(&service.render(), "compozy_monitoring_errors_total"), 0.0);
    assert_eq!(value(&service.render(), "compozy_monitoring_rejected_labels_total"), 0.0);
}

#[test]
fn a_handle_that_outlives_its_series_shows_it_again_whatever_it_came_from() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        let queue = String::from("mail");
        // Of a family; of a macro that names it; of the `metrics` crate; made into one.
        let foreign = |raw: metrics::Counter| Counter::from(raw);
        let handles = [
            TEXT.with("mail"),
            counter!("compozy_removal_text_total", "queue" => queue.clone()),
            counter!("compozy_removal_text_total", "queue" => "mail"),
            foreign(metrics::counter!("compozy_removal_text_total", "queue" => "mail")),
            foreign(TEXT.with("mail").into()),
        ];
        let closed = [CLOSED.with(Outcome::Good, Priority::Low), {
            foreign(metrics::counter!("compozy_removal_closed_total", "outcome" => "good", "priority" => "low"))
        }];
        for round in 0..3 {
            for (text, n) in handles.iter().zip(1..) {
                text.increment(n);
                closed.iter().for_each(|closed| closed.increment(n));
            }
            let now = service.render();
            assert_eq!(value(&now, r#"compozy_removal_text_total{queue="mail"}"#), 15.0, "{round}");
            assert_eq!(value(&now, r#"compozy_removal_closed_total{outcome="good",priority="low"}"#), 30.0, "{round}");
            TEXT.remove("mail");
            CLOSED.remove(Outcome::Good, Priority::Low);
            assert_eq!(sum(&service.render(), "compozy_removal_text_total"), 0.0);
        }
        // A series that lives is not another one because its neighbour went.
        let kept = TEXT.with("file");
        TEXT.with("mail").increment(1);
        TEXT.remove("mail");
        kept.increment(2);
        assert_eq!(lines(&service, "compozy_removal_text_total"), [r#"{queue="file"} 2"#]);
    });
}

#[test]
fn a_name_that_was_used_before_its_family_was_declared_is_removed_where_it_lives() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        let kept = Counter::from(metrics::counter!("compozy_removal_open_total", "queue" => "mail"));
        let bump = || metrics::counter!("compozy_removal_open_total", "queue" => "mail").increment(1);
        for _ in 0..3 {
            kept.increment(2);
            bump();
            OPEN.with("mail").increment(4);
            OPEN.with("file").increment(1);
            assert_eq!(value(&service.render(), r#"compozy_removal_open_total{queue="mail"}"#), 7.0);
            OPEN.remove("mail");
            assert_eq!(lines(&service, "compozy_removal_open_total").len(), 1);
        }
        OPEN.clear();
        assert!(lines(&service, "compozy_removal_open_total").is_empty());
        bump();
        assert_eq!(lines(&service, "compozy_removal_open_total"), [r#"{queue="mail"} 1"#]);
    });
}

#[test]
fn a_removed_series_makes_room_under_the_cap() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for i in 0..3_000 {
            MIXED.with(Outcome::Good, &format!("session {i}")).set(1);
            TEXT.with(&format!("session {i}")).increment(1);
        }
        assert_eq!(lines(&service, "compozy_removal_mixed").len(), 2_000);
        assert_eq!(value(&service.render(), r#"compozy_removal_text_total{queue="other"}"#), 1_000.0);
        for i in 0..2_500 {
            MIXED.remove(Outcome::Good, &format!("session {i}"));
            TEXT.remove(&format!("session {i}"));
        }
        assert_eq!(lines(&service, "compozy_removal_mixed").len(), 0);
        assert_eq!(lines(&service, "compozy_removal_text_total"), [r#"{queue="other"} 1000"#]);
        MIXED.with(Outcome::Good, "the one that lives").set(1);
        TEXT.with("the one that lives").increment(1);
        // Who is called as what is folded is that one series, and there is never a second of its name.
        TEXT.with("other").increment(1);
        assert_eq!(lines(&service, "compozy_removal_mixed").len(), 1);
        let now = [r#"{queue="other"} 1001"#, r#"{queue="the one that lives"} 1"#];
        assert_eq!(lines(&service, "compozy_removal_text_total"), now);
        // The cap holds as before.
        (0..2_500).for_each(|i| TEXT.with(&format!("again {i}")).increment(1));
        assert_eq!(lines(&service, "compozy_removal_text_total").len(), 2_001);
        assert_eq!(value(&service.render(), r#"compozy_removal_text_total{queue="other"}"#), 1_502.0);
        // What is folded can go as well, and comes again.
        TEXT.remove("other");
        assert_eq!(lines(&service, "compozy_removal_text_total").len(), 2_000);
        TEXT.with("one more").increment(1);
        assert_eq!(value(&service.render(), r#"compozy_removal_text_total{queue="other"}"#), 1.0);
    });
}

#[test]
fn a_gauge_over_the_cap_is_seen_once_another_series_is_gone_through_the_handle_that_was_taken_before() {
    own_process!();
    let service = MonitoringService::new(Config::default().enabled(true).series_cap(2)).expect("valid");
    let literal = || gauge!("compozy_removal_sessions", "queue" => "literal").set(4);
    for queue in ["ends", "ends too"] {
        SESSIONS.with(queue).set(1);
        MIXED.with(Outcome::Good, queue).set(1);
    }
    // The first look-up over the cap, one that finds the family full, and one whose value has to be cleaned.
    let waiting = [SESSIONS.with("first"), SESSIONS.with("second"), SESSIONS.with("a\u{1}b")];
    let foreign = Gauge::from(metrics::gauge!("compozy_removal_mixed", "outcome" => "good", "queue" => "waits"));
    let record = || {
        waiting.iter().for_each(|gauge| gauge.set(3));
        foreign.set(5);
        literal();
    };
    record();
    record();
    assert_eq!(lines(&service, "compozy_removal_sessions"), [r#"{queue="ends too"} 1"#, r#"{queue="ends"} 1"#]);
    // Look-ups are counted, not the records of a handle.
    assert_eq!(value(&service.render(), "compozy_monitoring_overflowed_series_total"), 5.0);
    SESSIONS.remove("ends");
    MIXED.remove(Outcome::Good, "ends");
    record();
    assert_eq!(lines(&service, "compozy_removal_sessions"), [r#"{queue="ends too"} 1"#, r#"{queue="first"} 3"#]);
    assert_eq!(value(&service.render(), r#"compozy_removal_mixed{outcome="good",queue="waits"}"#), 5.0);
    SESSIONS.remove("ends too");
    record();
    assert_eq!(lines(&service, "compozy_removal_sessions"), [r#"{queue="first"} 3"#, r#"{queue="second"} 3"#]);
    SESSIONS.clear();
    literal();
    assert_eq!(lines(&service, "compozy_removal_sessions"), [r#"{queue="literal"} 4"#]);
    assert_eq!(value(&service.render(), "compozy_monitoring_overflowed_series_total"), 5.0);
    service.shutdown();
}

#[test]
fn what_was_no_number_in_a_series_that_goes_is_told_all_the_same() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for _ in 0..2 {
            TIME.with(Outcome::Good).record(f64::NAN);
            LONG.with("mail").record(f64::NAN);
            TIME.remove(Outcome::Good);
            LONG.remove("mail");
        }
        TIME.with(Outcome::Good).record(f64::NAN);
    });
    assert_eq!(value(&service.render(), "compozy_monitoring_errors_total"), 5.0);
}

#[test]
fn a_scrape_beside_the_first_removal_of_a_family_has_every_series_that_stays() {
    for round in 0..size(3_000, 100_000) {
        let service = MonitoringService::for_test();
        service.in_scope(|| ["goes", "stays"].into_iter().for_each(|queue| TEXT.with(queue).increment(1)));
        let barrier = Barrier::new(2);
        let shown = std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                (0..round % 97 * 20).for_each(|_| std::hint::spin_loop());
                service.in_scope(|| TEXT.remove("goes"));
            });
            barrier.wait();
            lines(&service, "compozy_removal_text_total")
        });
        assert!(shown.iter().any(|line| line == r#"{queue="stays"} 1"#), "{round}: {shown:?}");
    }
}

/// Sessions that come and go, of which a few live at any time.
fn sessions(numbers: std::ops::Range<u64>) {
    for i in numbers {
        let name = format!("session {i}");
        SESSIONS.with(&name).set(1);
        SESSIONS.remove(&name);
    }
}

/// All that needs the process's one service.
#[test]
fn removals_are_exact_beside_records_and_leave_nothing() {
    own_process!();
    let start = || MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let service = start();

    // Nothing is left of ten million sessions, scraped or not.
    sessions(0..10_000);
    let many = size(100_000, 10_000_000);
    for scraped in [false, true] {
        let left = left_behind(|| {
            for part in 0..10 {
                sessions(part * many / 10..(part + 1) * many / 10);
                if scraped {
                    assert_eq!(lines(&service, "compozy_removal_sessions").len(), 0);
                }
            }
        });
        // The first scrape after a change keeps the size of its text.
        assert!(left < 64 << 10, "{left} bytes after {many} series, scraped: {scraped}");
        figure("bytes left by series that came and went", left);
    }
    figure("series made and removed", grouped(many));

    // A handle that is taken again allocates nothing once its family had a removal.
    SESSIONS.with("kept").set(1);
    assert_eq!(common::allocations(|| (0..1_000).for_each(|_| SESSIONS.with("kept").increment(1))), 0);

    // While others record and remove, a record is in a life as a whole: the sum of a histogram is that of its count.
    let stop = AtomicBool::new(false);
    let (recorded, seen) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let kept = RACED_TEXT.with("a");
                let mut n = 0;
                while !stop.load(Relaxed) {
                    RACED_CLOSED.with(Outcome::Good).record(0.5);
                    RACED_TEXT.with("a").record(0.5);
                    kept.record(0.5);
                    RACED.with("a").increment(1);
                    n += 1;
                }
                recorded.fetch_add(n, Relaxed);
            });
        }
        for round in 0..size(2_000_u32, 200_000) {
            RACED_CLOSED.remove(Outcome::Good);
            RACED_TEXT.remove("a");
            match round % 3 {
                0 => RACED_TEXT.clear(),
                1 => RACED_CLOSED.clear(),
                _ => RACED.remove(&format!("not there {round}")),
            }
            if round % 10 == 0 {
                let text = service.render();
                assert!(lines(&service, "compozy_removal_raced_total").len() <= 1, "{text}");
                seen.fetch_add(1, Relaxed);
            }
        }
        stop.store(true, Relaxed);
    });
    // Nobody records any more: what is shown agrees with itself.
    let text = service.render();
    for name in ["compozy_removal_raced_seconds", "compozy_removal_raced_text_seconds"] {
        let (count, of) = (sum(&text, &format!("{name}_count")), sum(&text, &format!("{name}_sum")));
        assert_eq!(of, count * 0.5, "{name}");
    }
    assert_eq!(value(&text, r#"compozy_removal_raced_total{queue="a"}"#), recorded.load(Relaxed) as f64);

    // The last removal and what comes after it, from another thread.
    RACED_TEXT.clear();
    RACED_CLOSED.clear();
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            RACED_TEXT.with("b").record(0.5);
            RACED_CLOSED.with(Outcome::Bad).record(0.5);
        });
        barrier.wait();
    });
    let text = service.render();
    assert_eq!(value(&text, r#"compozy_removal_raced_text_seconds_count{queue="b"}"#), 1.0);
    assert_eq!(value(&text, r#"compozy_removal_raced_seconds_count{outcome="bad"}"#), 1.0);

    // In the scope of another service only that one is touched.
    let test = MonitoringService::for_test();
    test.in_scope(|| {
        RACED.with("a").increment(1);
        RACED.clear();
    });
    assert!(lines(&test, "compozy_removal_raced_total").is_empty());
    assert_eq!(lines(&service, "compozy_removal_raced_total").len(), 1);

    // While the service is stopped, what ends does not come back with the next one.
    STOPPED.with("ends").set(1);
    STOPPED.with("lives").set(1);
    service.shutdown();
    STOPPED.remove("ends");
    STOPPED.with("ends").set(9);
    assert_eq!(common::allocations(|| STOPPED.with("ends").set(9)), 0);
    let service = start();
    assert_eq!(lines(&service, "compozy_removal_stopped"), [r#"{queue="lives"} 1"#]);
    // A site that kept its series finds it anew.
    let site = || counter!("compozy_removal_raced_total", "queue" => "site").increment(1);
    site();
    RACED.clear();
    site();
    site();
    assert_eq!(lines(&service, "compozy_removal_raced_total"), [r#"{queue="site"} 2"#]);
    service.shutdown();
}
