//! Timers, timed futures and guards that count: each end of theirs.
#![cfg(feature = "prometheus")]

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::common::{allocations, steady_allocations};
use compozy_monitoring::{Config, Gauge, Histogram, MonitoringService, TrackGuard, gauge, histogram, metrics};

compozy_monitoring::families! {
    /// Closed.
    histogram CLOSED = "compozy_guards_closed_seconds" { kind: Kind { A = "a", B = "b" } };
    /// Free text.
    histogram TEXT = "compozy_guards_text_seconds" { queue: str };
    /// Without labels.
    histogram PLAIN = "compozy_guards_plain_seconds";
    /// Closed.
    gauge BUSY = "compozy_guards_busy" { kind: Kind };
    /// Free text.
    gauge BUSY_TEXT = "compozy_guards_busy_text" { queue: str };
    /// Without labels.
    gauge BUSY_PLAIN = "compozy_guards_busy_plain";
    /// Of the process's one service.
    histogram GLOBAL = "compozy_guards_global_seconds" { kind: Kind };
    /// The same.
    gauge BUSY_GLOBAL = "compozy_guards_busy_global" { kind: Kind };
    /// The same, of free text.
    gauge BUSY_GLOBAL_TEXT = "compozy_guards_busy_global_text" { queue: str };
}

/// Handles of every kind.
fn histograms() -> Vec<Histogram> {
    let queue = String::from("q");
    vec![
        CLOSED.with(Kind::A),
        TEXT.with("q"),
        PLAIN.handle(),
        histogram!("compozy_guards_site_seconds"),
        histogram!("compozy_guards_computed_seconds", "queue" => queue),
    ]
}

fn gauges() -> Vec<Gauge> {
    let queue = String::from("q");
    vec![
        BUSY.with(Kind::A),
        BUSY_TEXT.with("q"),
        BUSY_PLAIN.handle(),
        gauge!("compozy_guards_busy_site"),
        gauge!("compozy_guards_busy_computed", "queue" => queue),
    ]
}

const HISTOGRAMS: [&str; 5] = [
    "compozy_guards_closed_seconds_count",
    "compozy_guards_text_seconds_count",
    "compozy_guards_plain_seconds_count",
    "compozy_guards_site_seconds_count",
    "compozy_guards_computed_seconds_count",
];

const GAUGES: [&str; 5] = [
    "compozy_guards_busy",
    "compozy_guards_busy_text",
    "compozy_guards_busy_plain",
    "compozy_guards_busy_site",
    "compozy_guards_busy_computed",
];

/// The sums of families.
fn totals(service: &MonitoringService, names: [&str; 5]) -> [f64; 5] {
    let snapshot = service.snapshot();
    names.map(|name| snapshot.total(name))
}

/// A future that has to be polled twice.
struct Twice(bool);

impl Future for Twice {
    type Output = u8;

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(7) } else { Poll::Pending }
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_timer_records_once_however_it_ends_but_for_discarded_and_forgotten_ones() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for handle in histograms() {
            drop(handle.start_timer());
            handle.start_timer().stop_and_record();
            let timer = handle.start_timer();
            std::thread::spawn(move || drop(timer)).join().unwrap();
            let timer = handle.start_timer();
            let _ = catch_unwind(AssertUnwindSafe(move || {
                let _timer = timer;
                std::panic::resume_unwind(Box::new(()));
            }));
            handle.start_timer().stop_and_discard();
            std::mem::forget(handle.start_timer());
        }
    });
    assert_eq!(totals(&service, HISTOGRAMS), [4.0; 5]);
}

#[test]
fn a_timer_measures_the_time_from_its_start_to_its_end() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        let (before, timer) = (Instant::now(), PLAIN.start_timer());
        let inner = Instant::now();
        std::thread::sleep(Duration::from_millis(20));
        let least = inner.elapsed().as_secs_f64();
        timer.stop_and_record();
        let most = before.elapsed().as_secs_f64();
        let sum = service.snapshot().total("compozy_guards_plain_seconds_sum");
        assert!(least <= sum && sum <= most, "{least} {sum} {most}");
    });
}

#[test]
fn a_timer_ends_in_the_service_in_which_it_started() {
    let (service, other) = (MonitoringService::for_test(), MonitoringService::for_test());
    let timers = || histograms().iter().map(Histogram::start_timer).collect::<Vec<_>>();
    // Out of the scope, in another one, and in a thread that has none.
    drop(service.in_scope(timers));
    let timers_of_service = service.in_scope(timers);
    other.in_scope(|| drop(timers_of_service));
    let timers_of_service = service.in_scope(timers);
    std::thread::spawn(move || drop(timers_of_service)).join().unwrap();
    assert_eq!(totals(&service, HISTOGRAMS), [3.0; 5]);
    assert_eq!(totals(&other, HISTOGRAMS), [0.0; 5]);
}

#[test]
fn a_timed_future_records_when_it_is_ready_or_dropped_and_nothing_if_nobody_polled_it() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for handle in histograms() {
            let count = || totals(&service, HISTOGRAMS).iter().sum::<f64>();
            let (mut ready, before) = (pin!(handle.time(Twice(false))), count());
            assert_eq!(poll(ready.as_mut()), Poll::Pending);
            assert_eq!(count(), before);
            assert_eq!(poll(ready.as_mut()), Poll::Ready(7));
            assert_eq!(count(), before + 1.0, "recorded when it is ready, and not only when it is dropped");
            let mut dropped = Box::pin(handle.time(Twice(false)));
            assert_eq!(poll(dropped.as_mut()), Poll::Pending);
            drop(dropped);
            drop(handle.time(Twice(false)));
            let mut panics = Box::pin(handle.time(async { std::panic::resume_unwind(Box::new(())) }));
            assert!(catch_unwind(AssertUnwindSafe(|| poll::<_>(panics.as_mut()))).is_err());
            drop(panics);
        }
    });
    assert_eq!(totals(&service, HISTOGRAMS), [3.0; 5]);
    // Polled in a scope, dropped outside of it.
    let mut future = Box::pin(PLAIN.time(Twice(false)));
    let _ = service.in_scope(|| poll(future.as_mut()));
    drop(future);
    assert_eq!(service.snapshot().total(HISTOGRAMS[2]), 4.0);
}

#[test]
fn a_timed_future_is_timed_from_its_first_poll_and_without_its_destructor() {
    struct Slow(Twice);
    impl Future for Slow {
        type Output = u8;
        fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u8> {
            std::pin::Pin::new(&mut self.0).poll(cx)
        }
    }
    impl Drop for Slow {
        fn drop(&mut self) {
            std::thread::sleep(Duration::from_millis(30));
        }
    }
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        let mut future = Box::pin(PLAIN.time(Slow(Twice(false))));
        std::thread::sleep(Duration::from_millis(30));
        let before = Instant::now();
        let _ = poll(future.as_mut());
        std::thread::sleep(Duration::from_millis(20));
        drop(future);
        let most = before.elapsed().as_secs_f64() - 0.03;
        let sum = service.snapshot().total("compozy_guards_plain_seconds_sum");
        assert!((0.02..=most).contains(&sum), "{sum}, {most}");
    });
}

#[test]
fn what_starts_while_monitoring_is_off_is_never_counted() {
    let service = MonitoringService::for_test();
    let (timers, tracked): (Vec<_>, Vec<_>) =
        (histograms().iter().map(Histogram::start_timer).collect(), gauges().iter().map(Gauge::track).collect());
    let mut future = Box::pin(PLAIN.time(Twice(false)));
    let _ = poll(future.as_mut());
    service.in_scope(|| {
        drop((timers, tracked));
        let _ = poll(future.as_mut());
    });
    assert_eq!(totals(&service, HISTOGRAMS), [0.0; 5]);
    assert_eq!(totals(&service, GAUGES), [0.0; 5]);
}

#[test]
fn a_guard_takes_back_what_it_added_wherever_it_is_dropped() {
    let (service, other) = (MonitoringService::for_test(), MonitoringService::for_test());
    let track = || gauges().iter().map(Gauge::track).collect::<Vec<_>>();
    let held = service.in_scope(track);
    assert_eq!(totals(&service, GAUGES), [1.0; 5]);
    other.in_scope(|| drop(held));
    assert_eq!(totals(&service, GAUGES), [0.0; 5]);
    let held = service.in_scope(track);
    let second = service.in_scope(track);
    std::thread::spawn(move || drop(held)).join().unwrap();
    assert_eq!(totals(&service, GAUGES), [1.0; 5]);
    let _ = catch_unwind(AssertUnwindSafe(move || {
        let _second = second;
        std::panic::resume_unwind(Box::new(()));
    }));
    assert_eq!(totals(&service, GAUGES), [0.0; 5]);
    service.in_scope(|| std::mem::forget(BUSY_PLAIN.track()));
    assert_eq!(totals(&service, GAUGES), [0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(totals(&other, GAUGES), [0.0; 5]);
}

#[test]
fn a_guard_takes_nothing_from_a_series_that_was_removed_meanwhile() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for clear in [false, true] {
            let track =
                || vec![BUSY.with(Kind::B).track(), BUSY_TEXT.with("gone").track(), BUSY_TEXT.with("gone").track()];
            let remove = || {
                if clear {
                    BUSY.clear();
                    BUSY_TEXT.clear();
                } else {
                    BUSY.remove(Kind::B);
                    BUSY_TEXT.remove("gone");
                }
            };
            let before = track();
            remove();
            let after = track();
            drop(before);
            let snapshot = service.snapshot();
            assert_eq!((snapshot.total("compozy_guards_busy"), snapshot.total("compozy_guards_busy_text")), (1.0, 2.0));
            // Once more, as the values are of another kind after the first removal.
            remove();
            drop(after);
            let again = track();
            let snapshot = service.snapshot();
            assert_eq!((snapshot.total("compozy_guards_busy"), snapshot.total("compozy_guards_busy_text")), (1.0, 2.0));
            drop(again);
            assert_eq!(service.snapshot().total("compozy_guards_busy_text"), 0.0);
        }
    });
}

#[test]
fn a_handle_of_a_removed_series_tracks_in_the_one_that_begins_anew() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        let handles = [BUSY.with(Kind::B), BUSY_TEXT.with("back")];
        BUSY.remove(Kind::B);
        BUSY_TEXT.remove("back");
        let guards: Vec<TrackGuard> = handles.iter().map(Gauge::track).collect();
        let snapshot = service.snapshot();
        assert_eq!((snapshot.total("compozy_guards_busy"), snapshot.total("compozy_guards_busy_text")), (1.0, 1.0));
        drop(guards);
        assert_eq!(service.snapshot().total("compozy_guards_busy_text"), 0.0);
    });
}

#[test]
fn a_handle_of_the_metrics_crate_is_timed_and_tracked_as_well() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        drop(Histogram::from(metrics::histogram!("foreign_guards_seconds")).start_timer());
        let busy = Gauge::from(metrics::gauge!("foreign_guards_busy"));
        let (held, _other) = (busy.track(), busy.track());
        drop(held);
        let snapshot = service.snapshot();
        assert_eq!(snapshot.total("foreign_guards_seconds_count"), 1.0);
        assert_eq!(snapshot.total("foreign_guards_busy"), 1.0);
    });
}

#[test]
fn timers_and_guards_go_across_a_stop_and_a_start() {
    own_process!();
    let config = || Config::default().enabled(true);
    let track = || vec![BUSY_GLOBAL.with(Kind::A).track(), BUSY_GLOBAL_TEXT.with("q").track()];
    let early = (GLOBAL.with(Kind::A).start_timer(), track());
    let service = MonitoringService::new(config()).unwrap();
    drop(early);
    let (ends_off, ends_on, ends_later) =
        (GLOBAL.with(Kind::A).start_timer(), GLOBAL.with(Kind::A).start_timer(), GLOBAL.with(Kind::A).start_timer());
    let (dropped_off, dropped_later, kept) = (track(), track(), track());
    drop(ends_on);
    service.shutdown();
    let none = track();
    drop((ends_off, dropped_off));
    let service = MonitoringService::new(config()).unwrap();
    drop((ends_later, dropped_later, none));
    let snapshot = service.snapshot();
    assert_eq!(snapshot.total("compozy_guards_global_seconds_count"), 2.0);
    assert_eq!(snapshot.total("compozy_guards_busy_global"), 1.0);
    assert_eq!(snapshot.total("compozy_guards_busy_global_text"), 1.0);
    drop(kept);
    assert_eq!(service.snapshot().total("compozy_guards_busy_global"), 0.0);
    // In steady state nothing is allocated.
    let round = || {
        drop((
            GLOBAL.with(Kind::A).start_timer(),
            BUSY_GLOBAL.with(Kind::B).track(),
            BUSY_GLOBAL_TEXT.with("q").track(),
        ));
    };
    round();
    assert_eq!(steady_allocations(round), 0);
    service.shutdown();
    assert_eq!(allocations(round), 0);
}

#[test]
fn timers_and_guards_go_to_other_threads() {
    fn is_send<T: Send + Sync + 'static>(_: &T) {}
    is_send(&PLAIN.start_timer());
    is_send(&BUSY_PLAIN.track());
    is_send(&PLAIN.time(std::future::ready(())));
}
