//! Which values the settings take, wherever a value comes from.

use super::{
    Config,
    error::{ConfigError, Source, shown},
};
use crate::schema::{label_list::is_clean_value, labels};

/// Far beyond what a scrape can take, and well within what a table can hold.
const HIGHEST_SERIES_CAP: usize = 1_000_000;

pub(super) const ACCEPTED_PATHS: &str = "an absolute, literal path such as /metrics: no query, fragment, parameter, wildcard, white \
                                         space or slash at the end, not `/` and not under /api/";
pub(super) const ACCEPTED_LABELS: &str = "names of lower-case letters, digits and `_`, no digit first, that no family has, and values of 1 \
                               to 128 characters without control characters";

impl Config {
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

/// Why a path cannot be the endpoint's, to be read after the path itself.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
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

/// Why a label cannot be on every series.
pub(super) fn check_constant_label(name: &str, value: &str) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use super::{super::PATH_VARIABLE, *};

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
                let vars = [(PATH_VARIABLE.into(), bad.into())];
                let error = Config::default().override_from(vars.into_iter()).unwrap_err().to_string();
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
}
