//! The faults of monitoring itself. Each is counted, the first of a family is logged, and the health gauge is 0 for a minute.

use std::{
    collections::HashSet,
    sync::{
        PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tracing::{error, warn};

use crate::support::{
    panics::{catch_message, catch_panic},
    reentrancy::Level,
    sync::Mutex,
};

/// How long a caught fault keeps `compozy_monitoring_health` at 0.
const UNHEALTHY_AFTER_FAULT: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    errors: AtomicU64,
    rejected_labels: AtomicU64,
    early_records: AtomicU64,
    last_fault: Mutex<Option<Instant>>,
    logged: Mutex<HashSet<(String, &'static str)>>,
}

impl Diagnostics {
    /// Runs a slow path. A panic is reported and goes no further. On a thread that must not enter a slow path, nothing is run: see
    /// [`Level::enter`].
    pub(crate) fn catch_and_report<R>(&self, metric: &str, run: impl FnOnce() -> R) -> Option<R> {
        let _level = Level::enter()?;
        self.catch_part(metric, run)
    }

    /// The same inside a slow path, for a part that is reported under its own name.
    pub(crate) fn catch_part<R>(&self, metric: &str, run: impl FnOnce() -> R) -> Option<R> {
        catch_message(run).map_err(|message| self.fault(metric, &format!("panic: {message}"))).ok()
    }

    /// Reports samples that were dropped because they are not numbers.
    pub(crate) fn dropped_samples(&self, metric: &str, samples: u64) {
        if samples > 0 {
            self.faults(metric, "a sample is not a number (NaN)", samples);
        }
    }

    /// A fault of monitoring itself: counted each time, logged once a family.
    #[cold]
    pub(crate) fn fault(&self, metric: &str, error: &str) {
        self.faults(metric, error, 1);
    }

    /// Several faults of one kind at once.
    #[cold]
    pub(crate) fn faults(&self, metric: &str, error: &str, times: u64) {
        self.errors.fetch_add(times, Relaxed);
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(now());
        if self.first("fault", metric) {
            log(|| error!(metric, error, "Metric recording failed"));
        }
    }

    /// Dropped labels: how many, and one of them. Each is counted; one line is logged for each family.
    #[cold]
    pub(crate) fn rejected(&self, metric: &str, label: &str, labels: usize) {
        self.rejected_labels.fetch_add(labels as u64, Relaxed);
        if self.first("labels", metric) {
            log(|| {
                warn!(metric, label, "Label dropped: not allowed, given twice, or with a value outside its closed set")
            });
        }
    }

    /// A family that two places declared in the same way: logged once.
    #[cold]
    pub(crate) fn declared_twice(&self, metric: &str, first: &str, second: &str) {
        if self.first("twice", metric) {
            log(|| warn!(metric, first, second, "Metric family is declared twice: both record into the same series"));
        }
    }

    /// A family whose series have a label of the configuration themselves, and keep their own: logged once a family.
    #[cold]
    pub(crate) fn constant_label_hidden(&self, metric: &str, label: &str) {
        if self.first("constant label", metric) {
            log(|| {
                warn!(
                    metric,
                    label, "A constant label of the configuration is a label of this family, which keeps its own"
                )
            });
        }
    }

    /// A record of a handle that was taken while monitoring was off: counted each time, logged once a family.
    #[cold]
    pub(crate) fn early(&self, metric: &str) {
        self.early_records.fetch_add(1, Relaxed);
        if self.first("early", metric) {
            log(|| {
                warn!(
                    metric,
                    "Records are lost: their handle was taken while monitoring was off, and its labels are unknown; take \
                     it again after the start"
                )
            });
        }
    }

    /// An undeclared name over the cap: logged once.
    #[cold]
    pub(crate) fn too_many_names(&self, metric: &str, cap: usize) {
        if self.first("names", "") {
            log(|| warn!(metric, cap, "Too many undeclared metric names: this one and further ones are dropped"));
        }
    }

    /// A family at its cap: logged once; the table itself counts.
    #[cold]
    pub(crate) fn overflowed(&self, metric: &str, cap: usize) {
        if self.first("cap", metric) {
            log(|| warn!(metric, cap, "Too many series: further label values are counted as `other`"));
        }
    }

    /// Whether this is the first finding of this kind for this metric. Nothing is logged under the lock, because a subscriber may
    /// record metrics.
    fn first(&self, what: &'static str, metric: &str) -> bool {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).insert((metric.to_owned(), what))
    }

    /// Everything that was logged: metric and kind of finding.
    #[cfg(feature = "view")]
    pub(crate) fn findings(&self) -> Vec<(String, &'static str)> {
        let mut findings: Vec<_> = self.logged.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        findings.sort_unstable();
        findings
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    pub(crate) fn rejected_labels(&self) -> u64 {
        self.rejected_labels.load(Relaxed)
    }

    pub(crate) fn early_records(&self) -> u64 {
        self.early_records.load(Relaxed)
    }

    pub(crate) fn is_healthy(&self) -> bool {
        let last = *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_none_or(|at| now().saturating_duration_since(at) >= UNHEALTHY_AFTER_FAULT)
    }
}

/// The monotonic clock. Tests can set it ahead.
fn now() -> Instant {
    #[cfg(test)]
    return Instant::now() + tests::AHEAD.get();
    #[cfg(not(test))]
    return Instant::now();
}

/// Logs. A subscriber that panics does not stop the record that caused the line.
fn log(line: impl FnOnce()) {
    catch_panic(line);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        MonitoringService,
        support::failpoint::{self, tests::log_of},
    };

    thread_local! {
        /// How far the clock of this thread is ahead.
        pub(super) static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    fn health(service: &MonitoringService) -> String {
        let text = service.render();
        text.lines().find_map(|line| line.strip_prefix("compozy_monitoring_health ")).unwrap().to_owned()
    }

    #[test]
    fn health_falls_with_one_log_line_and_comes_back_a_minute_after_the_last_fault() {
        let service = MonitoringService::for_test();
        let fail = || {
            let record = || metrics::counter!("compozy_health_total", "queue" => "q").increment(1);
            failpoint::armed("resolve", || service.in_scope(record));
        };
        assert_eq!(health(&service), "1");
        let log = log_of(|| {
            fail();
            assert_eq!(health(&service), "0");
            AHEAD.set(Duration::from_secs(30));
            // A second fault: no second line, and the minute begins anew.
            fail();
            for (seconds, expected) in [(31, "0"), (61, "0"), (89, "0"), (91, "1"), (4_000, "1")] {
                AHEAD.set(Duration::from_secs(seconds));
                assert_eq!(health(&service), expected, "after {seconds} s");
            }
            // And again.
            fail();
            assert_eq!(health(&service), "0");
            AHEAD.set(Duration::from_secs(4_061));
            assert_eq!(health(&service), "1");
        });
        assert_eq!(log.matches("Metric recording failed").count(), 1, "{log}");
        assert!(log.contains("ERROR") && log.contains("panic: fault at resolve"), "the line says why: {log}");
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(service.render().contains("compozy_monitoring_errors_total 3\n"));
        AHEAD.set(Duration::ZERO);
    }
}
