//! Configuration: from code, the environment or the `monitoring:` section of a project file.
//!
//! Bad input is never guessed at. Every error names where the value came from, the value, and what is accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::limits::SERIES_CAP;

// A build that serves no scrape reads the token too, and does not use it.
#[cfg_attr(not(feature = "_scrape"), allow(dead_code))]
mod endpoint;
mod environment;
mod error;
#[cfg(feature = "project-file")]
mod project_file;
mod rules;

#[cfg(feature = "_scrape")]
pub(crate) use self::endpoint::Access;
pub(crate) use self::endpoint::Endpoint;
pub use self::error::ConfigError;

/// The variable that switches monitoring on.
const ENABLED_VARIABLE: &str = "MONITORING_ENABLED";
/// The variable that moves the endpoint.
const PATH_VARIABLE: &str = "MONITORING_PATH";
/// The variable that names the file of the token which a scrape has to show.
const TOKEN_FILE_VARIABLE: &str = "MONITORING_BEARER_TOKEN_FILE";

/// The settings of monitoring, for [`MonitoringService::new`](crate::MonitoringService::new).
///
/// ```
/// use compozy_monitoring::Config;
///
/// let config = Config::default().enabled(true).path("/internal/metrics");
/// assert!(config.enabled);
/// assert_eq!(Config::default().path, "/metrics");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Whether metrics are recorded and served. Default: `false`.
    pub enabled: bool,
    /// The path at which the application serves the metrics. Default: `/metrics`.
    pub path: String,
    /// Labels on every series, by name, such as the region or the zone. `labels` in the project file. Default: none.
    #[serde(rename = "labels", skip_serializing_if = "BTreeMap::is_empty")]
    pub constant_labels: BTreeMap<String, String>,
    /// Whether the Temporal SDK's own `temporal_*` families are kept (feature `temporal`). Default: `true`. Set in code
    /// only.
    #[serde(skip)]
    pub temporal_sdk_families: bool,
    /// The cap on series, 1 to 1,000,000, of each family that has free-text labels or is not declared. Further series
    /// are counted in one more, labelled `other`. Set in code only. Default: 2,000.
    #[serde(skip)]
    pub series_cap: usize,
    #[serde(skip)]
    bearer_token: Option<endpoint::TokenSource>,
    /// Whether OpenMetrics text has a line `_created` for each series that counts. Set in code only. Default: `false`.
    #[serde(skip)]
    pub created_lines: bool,
    /// Whether protobuf has native histograms beside the classic ones. Set in code only. Default: `false`.
    #[serde(skip)]
    pub native_histograms: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: false,
            path: "/metrics".to_owned(),
            constant_labels: BTreeMap::new(),
            temporal_sdk_families: true,
            series_cap: SERIES_CAP,
            bearer_token: None,
            created_lines: false,
            native_histograms: false,
        }
    }
}

impl Config {
    /// Sets whether metrics are recorded and served.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets the path of the endpoint. [`MonitoringService::new`](crate::MonitoringService::new) checks it.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets labels that every series has. They replace those that were set before.
    ///
    /// [`MonitoringService::new`](crate::MonitoringService::new) checks them:
    ///
    /// - A name consists of lower-case letters, digits and `_`. It is no label of a family (core labels, and those of
    ///   `COMPOZY_METRIC_LABELS`), and does not speak of a person or of one request.
    /// - A value has 1 to 128 characters.
    ///
    /// If a family has such a label all the same, it keeps its own, and the log says so.
    ///
    /// The labels are added when series are printed, and are stored nowhere. So recording costs nothing more, and a
    /// [`Snapshot`](crate::MonitoringService::snapshot) does not have them.
    ///
    /// ```
    /// let config = compozy_monitoring::Config::default().constant_labels([("region", "eu"), ("zone", "eu-1a")]);
    /// assert_eq!(config.constant_labels["zone"], "eu-1a");
    /// ```
    #[must_use]
    pub fn constant_labels<N: Into<String>, V: Into<String>>(
        mut self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.constant_labels = labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// Sets whether the Temporal SDK's own `temporal_*` families are kept. The workflow counters of this crate do not
    /// depend on it.
    #[must_use]
    pub fn temporal_sdk_families(mut self, kept: bool) -> Self {
        self.temporal_sdk_families = kept;
        self
    }

    /// Sets the cap on series of each family. [`MonitoringService::new`](crate::MonitoringService::new) checks it.
    ///
    /// ```
    /// let config = compozy_monitoring::Config::default().series_cap(500);
    /// assert_eq!(compozy_monitoring::Config::default().series_cap, 2_000);
    /// ```
    #[must_use]
    pub fn series_cap(mut self, series_cap: usize) -> Self {
        self.series_cap = series_cap;
        self
    }

    /// Requires this token of every scrape, as `Authorization: Bearer <token>`. Without it the answer is 401 and
    /// nothing else, also while monitoring is off.
    ///
    /// It holds for the poem endpoint, the scrape service of tower, axum, the listener of `serve`, and the page of
    /// `view`. It does not hold for [`render`](crate::MonitoringService::render), which an application calls itself.
    ///
    /// To take the token from a file, name the file in the variable `MONITORING_BEARER_TOKEN_FILE`, and use
    /// [`Config::from_env`]. The variable wins over a token of the code. The file is read when the service starts, and
    /// not again. Default: no token, so anybody may scrape.
    ///
    /// The token is in no log line, no error message, no `Debug` output, and not in what serde writes.
    /// [`MonitoringService::new`](crate::MonitoringService::new) checks it: 1 to 4,096 visible ASCII characters.
    ///
    /// ```
    /// let config = compozy_monitoring::Config::default().bearer_token("s3cret");
    /// assert!(!format!("{config:?}").contains("s3cret"));
    /// ```
    #[must_use]
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.bearer_token = Some(endpoint::TokenSource::Text(token.into()));
        self
    }

    /// Sets whether OpenMetrics text has a line `_created` for each counter, histogram and summary, with the time at
    /// which it began to count. Protobuf always has this time.
    ///
    /// Turn it on only for a Prometheus that reads these lines (`--enable-feature=created-timestamp-zero-ingestion`,
    /// 2.55 and later). Any other Prometheus stores each line as one more series.
    ///
    /// ```
    /// let config = compozy_monitoring::Config::default().created_lines(true);
    /// assert!(!compozy_monitoring::Config::default().created_lines);
    /// ```
    #[must_use]
    pub fn created_lines(mut self, created_lines: bool) -> Self {
        self.created_lines = created_lines;
        self
    }

    /// Sets whether protobuf has a native histogram beside each classic one. Its quantiles are right within 9 % over
    /// any range, and nobody has to choose bounds.
    ///
    /// Turn it on only for a Prometheus that stores them (`--enable-feature=native-histograms`; from 3.8 on
    /// `scrape_native_histograms: true`). If queries still name `_bucket`, also set
    /// `always_scrape_classic_histograms: true` there. A Prometheus 3.5 that reads protobuf without that feature stores
    /// neither the native histogram nor the classic one. See `docs/formats.md`.
    ///
    /// ```
    /// let config = compozy_monitoring::Config::default().native_histograms(true);
    /// assert!(!compozy_monitoring::Config::default().native_histograms);
    /// ```
    #[must_use]
    pub fn native_histograms(mut self, native_histograms: bool) -> Self {
        self.native_histograms = native_histograms;
        self
    }
}
