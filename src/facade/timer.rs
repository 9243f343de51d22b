//! Timers: a duration becomes a sample of a histogram.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::handles::{Histogram, Running};

impl Histogram {
    /// Starts a timer. When the timer is dropped, it records the seconds since its start. For a family in seconds.
    ///
    /// | | |
    /// |---|---|
    /// | dropped, also by `?`, a cancelled future or a panic | records once |
    /// | [`stop_and_record`](Timer::stop_and_record) | records now |
    /// | [`stop_and_discard`](Timer::stop_and_discard), or forgotten (`mem::forget`) | records nothing |
    /// | started while monitoring is off | reads no clock and records nothing, even if it ends while monitoring is on |
    /// | started while it is on, and ends while it is off | records nothing. If it ends after a new start, it records the whole time |
    /// | moved to another thread, or out of its scope | records into the service in which it started |
    /// | started or ended in a replay of workflow code | records nothing |
    ///
    /// ```
    /// compozy_monitoring::families! {
    ///     /// Time spent on one task.
    ///     pub histogram TASK_DURATION = "compozy_task_duration_seconds" { task_type: TaskType { Basic = "basic" } };
    /// }
    /// # fn work() -> Result<(), std::fmt::Error> { Ok(()) }
    /// fn run() -> Result<(), std::fmt::Error> {
    ///     let _timer = TASK_DURATION.with(TaskType::Basic).start_timer(); // not `_`, which drops it at once
    ///     work()?;
    ///     work()
    /// }
    /// let service = compozy_monitoring::MonitoringService::for_test();
    /// service.in_scope(run).unwrap();
    /// # #[cfg(feature = "prometheus")]
    /// assert_eq!(service.snapshot().total("compozy_task_duration_seconds_count"), 1.0);
    /// ```
    #[inline(always)]
    pub fn start_timer(&self) -> Timer {
        Timer(self.start())
    }

    /// Times a future, from its first poll until it is ready or dropped. A future that was never polled records
    /// nothing. Otherwise it is as with [`start_timer`](Self::start_timer).
    ///
    /// ```
    /// compozy_monitoring::families! {
    ///     /// Time spent on one mail.
    ///     pub histogram MAIL_DURATION = "compozy_mail_duration_seconds";
    /// }
    /// # async fn send() -> u32 { 1 }
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let sent = MAIL_DURATION.time(send()).await;
    /// # });
    /// ```
    #[inline]
    pub fn time<F: Future>(&self, future: F) -> Timed<F> {
        Timed { histogram: Some(self.clone()), timer: None, future }
    }
}

/// A running timer, from [`Histogram::start_timer`].
#[derive(Debug)]
#[must_use = "a timer records when it is dropped, and `let _ =` drops it at once: write `let _timer =`"]
pub struct Timer(Option<Running>);

impl Timer {
    /// Stops the timer and records.
    #[inline(always)]
    pub fn stop_and_record(self) {}

    /// Stops the timer and records nothing.
    #[inline(always)]
    pub fn stop_and_discard(mut self) {
        self.0 = None;
    }
}

impl Drop for Timer {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.record();
        }
    }
}

pin_project! {
    /// A timed future, from [`Histogram::time`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is polled"]
    pub struct Timed<F> {
        // Until the first poll.
        histogram: Option<Histogram>,
        // Before the future: its destructor is not timed.
        timer: Option<Timer>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(histogram) = this.histogram.take() {
            *this.timer = Some(histogram.start_timer());
        }
        let output = this.future.poll(cx);
        if output.is_ready() {
            *this.timer = None;
        }
        output
    }
}
