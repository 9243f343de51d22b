//! The settings that the environment has: `MONITORING_*`.

use std::ffi::OsString;

use serde::Deserialize;

use super::{
    Config, ENABLED_VARIABLE, PATH_VARIABLE, TOKEN_FILE_VARIABLE,
    endpoint::TokenSource,
    error::{ConfigError, Source},
    rules::{ACCEPTED_PATHS, check_path},
};

const ACCEPTED_BOOLEANS: &str = "1, t, true, yes, on, 0, f, false, no, off (in any case)";

impl Config {
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
    pub(super) fn override_from(
        mut self,
        vars: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
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
            self.bearer_token = Some(TokenSource::File(file.into()));
        }
        Ok(self)
    }
}

fn accepted(variable: &str) -> &'static str {
    match variable {
        ENABLED_VARIABLE => ACCEPTED_BOOLEANS,
        TOKEN_FILE_VARIABLE => "the path of a file",
        _ => ACCEPTED_PATHS,
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "yes" | "on" => Some(true),
        "0" | "f" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
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
    fn a_value_in_a_message_is_one_short_line() {
        let error = from(&[(ENABLED_VARIABLE, &format!("a\nb{}", "x".repeat(10_000)))]).unwrap_err().to_string();
        assert!(!error.contains('\n') && error.len() < 400, "{error}");
    }
}
