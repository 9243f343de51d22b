//! Why a configuration was refused.

use std::fmt;

#[cfg(any(feature = "http-poem", feature = "http-axum"))]
use super::PATH_VARIABLE;

/// Why a configuration was refused: where the value came from, the value, and what is accepted instead.
///
/// ```
/// use compozy_monitoring::{Config, MonitoringService};
///
/// let error = MonitoringService::new(Config::default().path("metrics")).unwrap_err();
/// assert!(error.to_string().contains("`metrics` is not absolute"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub(super) source: Source,
    pub(super) problem: String,
    pub(super) accepted: String,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
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
    pub(super) fn variable(name: &'static str, value: &str, problem: &str, accepted: &str) -> Self {
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

/// The same text: it is what a `main` that returns the error prints.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// A value as it may stand in a one-line message: no control characters, not endless.
pub(super) fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(100).flat_map(char::escape_debug).collect();
    if value.chars().nth(100).is_some() {
        text.push('…');
    }
    text
}
