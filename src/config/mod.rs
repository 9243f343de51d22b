//! Configuration: from code, the environment or the `monitoring:` section of a project file.
//!
//! Bad input is never guessed at. Every error names where the value came from, the value, and what is accepted.

use std::{collections::BTreeMap, ffi::OsString, fmt};

use serde::{Deserialize, Serialize};

use crate::schema::{label_list::is_clean_value, labels, limits::SERIES_CAP};

// In a build that serves no scrape a token is read, and nobody is asked for it.
#[cfg_attr(not(feature = "_scrape"), allow(dead_code))]
mod endpoint;
#[cfg(feature = "project-file")]
mod project_file;

#[cfg(feature = "_scrape")]
pub(crate) use self::endpoint::Access;
pub(crate) use self::endpoint::Endpoint;

/// The variable that switches monitoring on.
const ENABLED_VARIABLE: &str = "MONITORING_ENABLED";
/// The variable that moves the endpoint.
const PATH_VARIABLE: &str = "MONITORING_PATH";
/// The variable that names the file of the token which a scrape has to show.
const TOKEN_FILE_VARIABLE: &str = "MONITORING_BEARER_TOKEN_FILE";

/// Far beyond what a scrape can take, and well within what a table can hold.
const HIGHEST_SERIES_CAP: usize = 1_000_000;

const ACCEPTED_BOOLEANS: &str = "1, t, true, yes, on, 0, f, false, no, off (in any case)";
const ACCEPTED_PATHS: &str = "an absolute, literal path such as /metrics: no query, fragment, parameter, wildcard, white \
                              space or slash at the end, not `/` and not under /api/";

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

    /// The defaults, with `MONITORING_ENABLED`, `MONITORING_PATH` and `MONITORING_BEARER_TOKEN_FILE` from the
    /// environment.
    ///
    /// `MONITORING_ENABLED` takes `1 0 t f true false yes no on off` in any case. White space around a value is
    /// ignored. A variable that is set but empty counts as unset. The file of [the token](Self::bearer_token) is read
    /// when the service starts.
    ///
    /// ```
    /// # fn main() -> Result<(), compozy_monitoring::ConfigError> {
    /// let config = compozy_monitoring::Config::from_env()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A value that is not accepted, or is not UTF-8; the error names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::default().override_from_env()
    }

    /// The same variables over a configuration that came from elsewhere. A variable that is set wins.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn override_from_env(self) -> Result<Self, ConfigError> {
        self.override_from(std::env::vars_os())
    }

    /// The environment as an argument, so that tests need not change the process's own.
    fn override_from(mut self, vars: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        /// What `envy` fills in, by the variables' lower-case names. The boolean is read by [`parse_bool`]: serde's
        /// own accepts one spelling only.
        #[derive(Deserialize)]
        struct Variables {
            monitoring_enabled: Option<String>,
            monitoring_path: Option<String>,
            monitoring_bearer_token_file: Option<String>,
        }

        // `envy::from_env` panics on any variable that is not UTF-8, ours or not, so it is only shown ours.
        let mut ours = Vec::new();
        for (name, value) in vars {
            let known = [ENABLED_VARIABLE, PATH_VARIABLE, TOKEN_FILE_VARIABLE];
            let Some(name) = known.into_iter().find(|known| name == **known) else { continue };
            match value.into_string() {
                Ok(value) => ours.push((name.to_owned(), value)),
                Err(raw) => {
                    return Err(ConfigError::variable(name, &raw.to_string_lossy(), "is not UTF-8", accepted(name)));
                }
            }
        }
        let variables: Variables = envy::from_iter(ours).map_err(|error| ConfigError {
            source: Source::Variable("MONITORING_*"),
            problem: error.to_string(),
            accepted: "text".to_owned(),
        })?;

        let set = |value: Option<String>| value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        if let Some(value) = set(variables.monitoring_enabled) {
            self.enabled = parse_bool(&value).ok_or_else(|| {
                ConfigError::variable(ENABLED_VARIABLE, &value, "is not a boolean", accepted(ENABLED_VARIABLE))
            })?;
        }
        if let Some(value) = set(variables.monitoring_path) {
            if let Err(problem) = check_path(&value) {
                return Err(ConfigError::variable(PATH_VARIABLE, &value, problem, accepted(PATH_VARIABLE)));
            }
            self.path = value;
        }
        if let Some(file) = set(variables.monitoring_bearer_token_file) {
            self.bearer_token = Some(endpoint::TokenSource::File(file.into()));
        }
        Ok(self)
    }

    /// What `MonitoringService::new` refuses, wherever the value came from.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        check_path(&self.path).map_err(|problem| ConfigError {
            source: Source::Field("path"),
            problem: format!("`{}` {problem}", shown(&self.path)),
            accepted: ACCEPTED_PATHS.to_owned(),
        })?;
        for (name, value) in &self.constant_labels {
            check_constant_label(name, value).map_err(|problem| ConfigError {
                source: Source::Field("constant_labels"),
                problem,
                accepted: ACCEPTED_LABELS.to_owned(),
            })?;
        }
        if (1..=HIGHEST_SERIES_CAP).contains(&self.series_cap) {
            return Ok(());
        }
        Err(ConfigError {
            source: Source::Field("series_cap"),
            problem: format!("`{}` is out of range", self.series_cap),
            accepted: format!("1 to {HIGHEST_SERIES_CAP}"),
        })
    }
}

const ACCEPTED_LABELS: &str = "names of lower-case letters, digits and `_`, no digit first, that no family has, and values of 1 \
                               to 128 characters without control characters";

/// Why a label cannot be on every series.
fn check_constant_label(name: &str, value: &str) -> Result<(), String> {
    let fault = if !labels::is_plain_label(name) {
        "is no label name"
    } else if labels::is_reserved(name) {
        "is a reserved label"
    } else if labels::is_personal(name) {
        "speaks of a person or of one request"
    } else if labels::is_allowed("", name) {
        "is a label of families"
    } else if value.is_empty() || !is_clean_value(value) {
        return Err(format!("the value `{}` of `{}` cannot be a label value", shown(value), shown(name)));
    } else {
        return Ok(());
    };
    Err(format!("`{}` {fault}", shown(name)))
}

/// Why a configuration was refused: where the value came from, the value, and what is accepted instead.
///
/// ```
/// use compozy_monitoring::{Config, MonitoringService};
///
/// let error = MonitoringService::new(Config::default().path("metrics")).unwrap_err();
/// assert!(error.to_string().contains("`metrics` is not absolute"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    source: Source,
    problem: String,
    accepted: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Variable(&'static str),
    Field(&'static str),
    #[cfg(feature = "project-file")]
    File {
        file: String,
        line: Option<usize>,
        key: Option<String>,
    },
}

impl ConfigError {
    fn variable(name: &'static str, value: &str, problem: &str, accepted: &str) -> Self {
        Self {
            source: Source::Variable(name),
            problem: format!("`{}` {problem}", shown(value)),
            accepted: accepted.to_owned(),
        }
    }

    /// The endpoint cannot be put where the application has a route of its own.
    #[cfg(any(feature = "http-poem", feature = "http-axum"))]
    pub(crate) fn path_is_taken(path: &str) -> Self {
        Self {
            source: Source::Field("path"),
            problem: format!("`{}` is a route of the application", shown(path)),
            accepted: format!("a path of its own, set by {PATH_VARIABLE}, monitoring.path of the file or Config::path"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Variable(name) => write!(f, "environment variable {name}: ")?,
            Source::Field(name) => write!(f, "monitoring configuration, {name}: ")?,
            #[cfg(feature = "project-file")]
            Source::File { file, line, key } => {
                write!(f, "{file}")?;
                if let Some(line) = line {
                    write!(f, ", line {line}")?;
                }
                if let Some(key) = key {
                    write!(f, ", key {key}")?;
                }
                f.write_str(": ")?;
            }
        }
        write!(f, "{}", self.problem)?;
        if !self.accepted.is_empty() {
            write!(f, "; accepted: {}", self.accepted)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

fn accepted(variable: &str) -> &'static str {
    match variable {
        ENABLED_VARIABLE => ACCEPTED_BOOLEANS,
        TOKEN_FILE_VARIABLE => "the path of a file",
        _ => ACCEPTED_PATHS,
    }
}

/// A value as it may stand in a one-line message: no control characters, not endless.
fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(100).flat_map(char::escape_debug).collect();
    if value.chars().nth(100).is_some() {
        text.push('…');
    }
    text
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "yes" | "on" => Some(true),
        "0" | "f" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Why a path cannot be the endpoint's, to be read after the path itself.
fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("is empty");
    }
    if path.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has white space or a control character");
    }
    if !path.starts_with('/') {
        return Err("is not absolute");
    }
    if path.contains('?') {
        return Err("has a query");
    }
    if path.contains('#') {
        return Err("has a fragment");
    }
    if path.contains(['*', '<', '>', '{', '}', ':']) {
        return Err("has a parameter or wildcard segment");
    }
    if path.trim_matches('/').is_empty() {
        return Err("is the root");
    }
    if path.ends_with('/') {
        return Err("ends with a slash, which is another path to whoever scrapes it");
    }
    if path.contains("//") || path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("has an empty or a dot segment");
    }
    if path == "/api" || path.starts_with("/api/") {
        return Err("is under /api/, which is versioned");
    }
    if !path.is_ascii() || path.contains(['%', '"', '\\', '^', '`', '|']) {
        return Err("has a character that a URL has to encode");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::default().override_from(vars.iter().map(|(k, v)| (k.into(), v.into())))
    }

    #[test]
    fn every_spelling_of_a_boolean_is_read_in_any_case() {
        for (texts, expected) in [(["1", "t", "true", "yes", "on"], true), (["0", "f", "false", "no", "off"], false)] {
            for text in texts {
                for spelling in [text.to_owned(), text.to_uppercase(), format!(" \t{text}\n")] {
                    let start = Config::default().enabled(!expected);
                    let read =
                        start.override_from([(ENABLED_VARIABLE.into(), spelling.clone().into())].into_iter()).unwrap();
                    assert_eq!(read.enabled, expected, "{spelling:?}");
                }
            }
        }
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_variable_the_value_and_what_is_accepted() {
        for text in ["ja", "2", "tru", "enabled", "true false", "-1", "01"] {
            let error = from(&[(ENABLED_VARIABLE, text)]).unwrap_err().to_string();
            assert!(error.contains(ENABLED_VARIABLE), "{error}");
            assert!(error.contains(&format!("`{text}`")), "{error}");
            assert!(error.contains("1, t, true, yes, on, 0, f, false, no, off"), "{error}");
        }
    }

    #[test]
    fn set_but_empty_counts_as_unset() {
        let start = Config::default().enabled(true).path("/m");
        let vars = [(ENABLED_VARIABLE.into(), "  ".into()), (PATH_VARIABLE.into(), "".into())];
        assert_eq!(start.clone().override_from(vars.into_iter()).unwrap(), start);
    }

    #[test]
    fn the_environment_wins_and_what_it_does_not_set_stays() {
        let start = Config::default().enabled(true).path("/m");
        let read = start.override_from([(ENABLED_VARIABLE.into(), "off".into())].into_iter()).unwrap();
        assert_eq!(read, Config::default().path("/m"));
    }

    #[test]
    fn a_lower_case_namesake_is_another_variable() {
        assert_eq!(from(&[("monitoring_enabled", "maybe"), ("Monitoring_Enabled", "1")]).unwrap(), Config::default());
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf8_is_an_error_when_it_is_ours_and_nothing_when_it_is_not() {
        use std::os::unix::ffi::OsStringExt;
        let raw = || OsString::from_vec(vec![b't', 0xff]);
        let error = Config::default().override_from([(ENABLED_VARIABLE.into(), raw())].into_iter()).unwrap_err();
        assert!(error.to_string().contains("MONITORING_ENABLED: `t\u{fffd}` is not UTF-8"), "{error}");
        assert!(Config::default().override_from([("OTHER".into(), raw()), (raw(), raw())].into_iter()).is_ok());
    }

    #[test]
    fn a_path_must_be_absolute_and_literal() {
        for good in ["/metrics", "/internal/metrics", "/apix/metrics", "/a-b_c.d~e", "/apis"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for (bad, part) in [
            ("", "empty"),
            ("metrics", "absolute"),
            ("/", "root"),
            ("//", "root"),
            ("/metrics?x=1", "query"),
            ("/metrics#x", "fragment"),
            ("/:name", "parameter"),
            ("/a:b", "parameter"),
            ("/a/*rest", "wildcard"),
            ("/a/<\\d+>", "wildcard"),
            ("/met rics", "white space"),
            ("/met\u{a0}rics", "white space"),
            ("/met\nrics", "white space"),
            ("/api/metrics", "versioned"),
            ("/api", "versioned"),
            ("/metrics/", "slash"),
            ("/metrics//", "slash"),
            ("/a//b", "empty"),
            ("/a/../api/x", "dot segment"),
            ("/m%20", "encode"),
            ("/mé", "encode"),
        ] {
            assert!(check_path(bad).unwrap_err().contains(part), "{bad:?}: {:?}", check_path(bad));
            assert!(Config::default().path(bad).validate().is_err());
            if !bad.trim().is_empty() {
                let error = from(&[(PATH_VARIABLE, bad)]).unwrap_err().to_string();
                assert!(error.contains(PATH_VARIABLE) && error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn a_cap_is_at_least_one_and_not_read_from_a_file() {
        for (cap, good) in [(0, false), (1, true), (1_000_000, true), (1_000_001, false)] {
            assert_eq!(Config::default().series_cap(cap).validate().is_ok(), good, "{cap}");
        }
        let error = Config::default().series_cap(0).validate().unwrap_err().to_string();
        assert_eq!(error, "monitoring configuration, series_cap: `0` is out of range; accepted: 1 to 1000000");
        assert!(serde_json::from_str::<Config>(r#"{"series_cap": 5}"#).is_err());
        assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
        assert!(Config::default().temporal_sdk_families);
    }

    #[test]
    fn a_value_in_a_message_is_one_short_line() {
        let error = from(&[(ENABLED_VARIABLE, &format!("a\nb{}", "x".repeat(10_000)))]).unwrap_err().to_string();
        assert!(!error.contains('\n') && error.len() < 400, "{error}");
    }
}
