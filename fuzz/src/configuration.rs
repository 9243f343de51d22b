//! Environment variables and the builder, against rules written down a second time.

use std::{
    env,
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    sync::{Mutex, PoisonError},
};

use arbitrary::{Result, Unstructured};
use compozy_monitoring::{Config, MonitoringService};

const VARIABLES: [&str; 2] = ["MONITORING_ENABLED", "MONITORING_PATH"];

/// The environment belongs to the process, and the replay has several threads.
static ENVIRONMENT: Mutex<()> = Mutex::new(());

/// Reads a configuration from variables of any bytes, and makes one in code from the same ones.
pub fn configuration(data: &[u8]) {
    let _ = run(&mut Unstructured::new(data));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let start = Config::default().enabled(u.arbitrary()?).path("/before");
    let cap = u.arbitrary::<u32>()? as usize;
    let enabled = variable(u)?;
    let path = variable(u)?;

    let read = {
        let _held = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in VARIABLES.iter().zip([&enabled, &path]) {
            // SAFETY: every reader of the environment in this process is Rust's, which locks it.
            unsafe {
                match value {
                    Some(value) => env::set_var(name, value),
                    None => env::remove_var(name),
                }
            }
        }
        start.clone().override_from_env()
    };

    let expected_enabled = text(&enabled).map(|text| match text {
        None => Ok(start.enabled),
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "yes" | "on" => Ok(true),
            "0" | "f" | "false" | "no" | "off" => Ok(false),
            _ => Err(()),
        },
    });
    let by_hand = |path: &str| MonitoringService::new(Config::default().path(path)).is_ok();
    let expected_path = text(&path).map(|text| match text {
        None => Ok("/before".to_owned()),
        Some(text) if by_hand(text) => Ok(text.to_owned()),
        Some(_) => Err(()),
    });
    match (&read, expected_enabled.and_then(|r| r), expected_path.and_then(|r| r)) {
        (Ok(read), Ok(enabled), Ok(path)) => {
            assert_eq!((read.enabled, &read.path), (enabled, &path));
            assert_servable(&path);
            let there = serde_json::to_string(read).expect("plain values");
            assert_eq!(&serde_json::from_str::<Config>(&there).expect("what was written"), read);
        }
        (Err(error), enabled, path) if enabled.is_err() || path.is_err() => {
            let error = error.to_string();
            // Of two, the one that is not text comes first.
            let about = if enabled.is_err() && (path.is_ok() || error.contains(VARIABLES[0])) { 0 } else { 1 };
            assert!(about == 0 || path.is_err(), "{error}");
            crate::assert_readable(&error, VARIABLES[about]);
        }
        (read, enabled, path) => panic!("{read:?}, but expected {enabled:?} and {path:?}"),
    }

    // In code: the cap is checked as well, and what is off stays off.
    let path = path.map_or_else(String::new, |path| path.to_string_lossy().into_owned());
    match MonitoringService::new(Config::default().path(path.as_str()).series_cap(cap)) {
        Ok(service) => {
            assert!((1..=1_000_000).contains(&cap));
            assert_servable(&path);
            assert_eq!((service.is_enabled(), service.path(), service.render().as_str()), (false, path.as_str(), ""));
        }
        Err(error) => {
            let about = if by_hand(&path) { "series_cap" } else { "path" };
            crate::assert_readable(&error.to_string(), about);
            assert!(about == "path" || !(1..=1_000_000).contains(&cap), "{error}");
        }
    }
    Ok(())
}

/// A value of a variable: absent, a likely one, or any bytes but NUL, which no environment can hold.
fn variable(u: &mut Unstructured<'_>) -> Result<Option<OsString>> {
    const LIKELY: [&str; 10] =
        ["", " \t", "true", " OFF ", "Yes", "ja", "/metrics", "/internal/metrics ", "/api/v1/m", "/m/:id"];
    let kind: u8 = u.arbitrary()?;
    Ok(match kind % 16 {
        0 => None,
        kind @ 1..=10 => Some(LIKELY[usize::from(kind) - 1].into()),
        _ => {
            let mut bytes = u.arbitrary::<&[u8]>()?.to_vec();
            bytes.retain(|byte| *byte != 0);
            Some(OsString::from_vec(bytes))
        }
    })
}

/// The trimmed text; nothing when it is unset or empty, an error when it is not UTF-8.
fn text(value: &Option<OsString>) -> std::result::Result<Option<&str>, ()> {
    match value.as_ref().map(|value| value.to_str()) {
        None => Ok(None),
        Some(None) => Err(()),
        Some(Some(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
    }
}

/// An accepted path is one that a request can ask for, letter by letter, and that is nothing but a path.
pub(crate) fn assert_servable(path: &str) {
    let uri: http::Uri = path.parse().unwrap_or_else(|error| panic!("{path:?} was accepted: {error}"));
    assert_eq!((uri.path(), uri.query(), uri.authority()), (path, None, None));
    assert!(path.starts_with('/') && path.len() > 1 && !path.starts_with("//") && !path.starts_with("/api/"), "{path}");
    assert!(!path.split('/').any(|segment| segment == "." || segment == ".."), "{path}");
    assert!(!path.contains([':', '*', '<', '{']), "{path} would be a pattern");
}
