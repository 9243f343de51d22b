//! The clock of the middleware: the processor's counter where the kernel trusts it, else the system's monotonic clock.
//!
//! Two reads of the counter take 26 ns where two of `std::time::Instant` take 65 (`floor/*` in the bench targets `http`).
//! Neither is the wall clock: setting that changes nothing.

use std::time::Instant;

/// A point in time, comparable with those of the same clock only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading(u64);

/// One clock for all requests of a middleware.
#[derive(Debug)]
pub(crate) struct Clock {
    source: Source,
    /// Seconds of one count.
    unit: f64,
}

#[derive(Debug)]
enum Source {
    Counter(quanta::Clock),
    /// Nanoseconds since it was made.
    System(Instant),
}

impl Clock {
    /// Calibrates the counter, once in a process: about a millisecond, 200 at the most.
    pub(crate) fn new() -> Self {
        Self::of(source().as_deref())
    }

    /// Chooses by the clock source of the kernel. The kernel compares the counters of all processors, and takes another source if
    /// they disagree. `quanta` only looks at what the processor promises.
    fn of(source: Option<&str>) -> Self {
        let is_trusted = source.map_or(!cfg!(target_os = "linux"), is_counter);
        if !is_trusted {
            return Self::uncalibrated();
        }
        let counter = quanta::Clock::new();
        // So many counts are minutes, and rounding to a nanosecond is no loss. Multiplying is cheaper than asking `quanta` at
        // each request.
        const MANY: u64 = 1 << 40;
        let unit = counter.delta_as_nanos(0, MANY) as f64 / MANY as f64 / 1e9;
        Self { source: Source::Counter(counter), unit }
    }

    /// The system's clock.
    pub(crate) fn uncalibrated() -> Self {
        Self { source: Source::System(Instant::now()), unit: 1e-9 }
    }

    #[inline]
    pub(crate) fn now(&self) -> Reading {
        Reading(match &self.source {
            Source::Counter(counter) => counter.raw(),
            Source::System(start) => nanos(*start),
        })
    }

    /// Seconds since a reading; never negative.
    #[inline]
    pub(crate) fn seconds_since(&self, Reading(start): Reading) -> f64 {
        let Reading(now) = self.now();
        // The processor converts a signed number in one instruction. A century of counts fits.
        now.saturating_sub(start).cast_signed() as f64 * self.unit
    }
}

/// Nanoseconds; five centuries fit.
fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The clock source of the kernel. Only Linux tells it.
fn source() -> Option<String> {
    let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    source.ok().map(|source| source.trim().to_owned())
}

/// Whether this source is the processor's counter, or what a hypervisor makes of it.
fn is_counter(source: &str) -> bool {
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"].contains(&source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn both_clocks_agree_with_the_system() {
        for clock in [Clock::new(), Clock::uncalibrated()] {
            let (start, reading) = (Instant::now(), clock.now());
            std::thread::sleep(Duration::from_millis(50));
            let (seconds, most) = (clock.seconds_since(reading), start.elapsed().as_secs_f64());
            assert!(seconds > 0.0499 && seconds < most * 1.001, "{clock:?}: {seconds} of {most}");
        }
    }

    #[test]
    fn a_reading_that_lies_ahead_is_no_time_ago() {
        for clock in [Clock::new(), Clock::uncalibrated()] {
            assert_eq!(clock.seconds_since(Reading(u64::MAX)), 0.0, "{clock:?}");
        }
    }

    #[test]
    fn a_source_that_is_no_counter_is_not_trusted() {
        let is_system = |source| matches!(Clock::of(source).source, Source::System(_));
        assert!(!is_system(Some("tsc")));
        for source in ["hpet", "acpi_pm", "xen", "jiffies", ""] {
            assert!(is_system(Some(source)), "{source}");
        }
        assert_eq!(is_system(None), cfg!(target_os = "linux"));
    }
}
