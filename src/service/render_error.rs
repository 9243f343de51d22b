//! What an application that serves the metrics itself needs to know: the text, or why there is none.

use std::fmt;

use super::MonitoringService;

/// Why [`MonitoringService::try_render`] has nothing to serve. As text it is the reason, for a log line or the body of
/// an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenderError {
    /// Monitoring is off. The reason is that of [`MonitoringService::off_reason`]. Answer the scrape with 503.
    Off(&'static str),
    /// Rendering failed. The fault is logged and counted. Answer the scrape with 500.
    Failed,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off(reason) => reason,
            Self::Failed => "the metrics could not be rendered",
        })
    }
}

impl std::error::Error for RenderError {}

impl MonitoringService {
    /// Why the service is off, for an answer to a scrape.
    pub(crate) fn why_off(&self) -> &'static str {
        self.off_reason().unwrap_or("no metrics just now")
    }

    /// All families in the Prometheus text format, version 0.0.4, or why there are none. For an application that serves
    /// them itself. Do not answer 200 with an empty body instead of an error: Prometheus would see a healthy target
    /// without samples.
    ///
    /// The media type is `text/plain; version=0.0.4; charset=utf-8`. The time grows with the number of series. Do not
    /// call it on a thread of an async runtime.
    ///
    /// ```
    /// use compozy_monitoring::{MonitoringService, RenderError};
    ///
    /// /// Status and body, as any framework takes them.
    /// fn metrics(service: &MonitoringService) -> (u16, String) {
    ///     match service.try_render() {
    ///         Ok(text) => (200, text),
    ///         Err(reason @ RenderError::Off(_)) => (503, reason.to_string()),
    ///         Err(reason) => (500, reason.to_string()),
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), compozy_monitoring::ConfigError> {
    /// let service = MonitoringService::new(None)?;
    /// let reason = "monitoring is disabled; MONITORING_ENABLED=true enables it";
    /// assert_eq!(metrics(&service), (503, reason.to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Monitoring is off, or rendering failed.
    pub fn try_render(&self) -> Result<String, RenderError> {
        #[cfg(feature = "prometheus")]
        if let Some(store) = self.store() {
            let render = || crate::exposition::text::render(store);
            return store.diagnostics.catch_and_report("render", render).ok_or(RenderError::Failed);
        }
        Err(RenderError::Off(self.why_off()))
    }
}
