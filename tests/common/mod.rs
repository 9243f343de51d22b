//! What the integration tests share.
#![allow(dead_code)]

use std::collections::BTreeMap;

mod logs;
#[allow(unused_imports, reason = "not every binary looks at the log")]
pub(crate) use logs::{log_of, seen_by};

#[cfg(all(feature = "prometheus", any(feature = "http-axum", feature = "http-poem")))]
pub mod processes;

#[cfg(all(feature = "prometheus", feature = "http-poem"))]
pub mod metric_family;
#[cfg(all(feature = "prometheus", feature = "http-poem"))]
pub mod scraped;

/// Requests that no handler takes, if `/ok` answers GET alone: method, path, the labels `method`, `path` and `status_code`.
pub const NO_ROUTE: [(&str, &str, &str, &str, u16); 8] = [
    ("GET", "/wp-admin/setup.php", "GET", "unmatched", 404),
    ("BREW", "/ok", "OTHER", "/ok", 405),
    ("get", "/ok", "OTHER", "/ok", 405),
    ("PROPFIND", "/nothing", "OTHER", "unmatched", 404),
    ("OPTIONS", "/ok", "OPTIONS", "/ok", 405),
    ("PATCH", "/ok", "PATCH", "/ok", 405),
    ("PUT", "/ok", "PUT", "/ok", 405),
    ("TRACE", "/ok", "TRACE", "/ok", 405),
];

/// Ends the test here and runs it in a process of its own: this binary, started with the name of this one test.
///
/// The first line of each test that looks at the state of the whole process. An environment variable tells the new process that it is
/// the test's own.
#[allow(unused_macros)]
macro_rules! own_process {
    () => {
        fn here() {}
        if !$crate::common::is_own_process(std::any::type_name_of_val(&here)) {
            return;
        }
    };
}

/// For [`own_process!`]: whether this process is the test's own. If not, the test has run in another process when this returns.
#[track_caller]
pub fn is_own_process(inside: &str) -> bool {
    const TEST: &str = "TEST_OF_THIS_PROCESS";
    // `suite::cap::name::here`, and in an async test `suite::cap::name::{{closure}}::here`: the runner's name is between.
    let path = inside.trim_end_matches("::here").trim_end_matches("::{{closure}}");
    let test = path.split_once("::").map_or(path, |(_crate, test)| test);
    if std::env::var_os(TEST).is_some_and(|name| name == test) {
        return true;
    }
    let program = std::env::current_exe().expect("the test's own path");
    let mut command = std::process::Command::new(program);
    let output = command
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(TEST, test)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    // A process that ran no test ends without an error too.
    let ran = output.status.success() && said.contains("test result: ok. 1 passed");
    assert!(ran, "in a process of its own, {}:\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    said.lines()
        .filter_map(|line| line.strip_prefix("figure: ")?.rsplit_once(' '))
        .for_each(|(name, value)| figure(name, value));
    false
}

/// Cargo with the plain compiler: `scripts/test` puts clippy in the place of the compiler.
pub fn cargo_command() -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO"));
    command.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("CLIPPY_ARGS");
    command
}

/// The same for a fixture that is built again and again in a folder of its own: what the builds have in common is kept.
pub fn cargo_incremental() -> std::process::Command {
    let mut command = cargo_command();
    command.env("CARGO_INCREMENTAL", "1");
    command
}

/// A program that `scripts/setup python` installs. If it is not there, the one on the `PATH`.
pub fn tool(name: &str) -> std::path::PathBuf {
    let installed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/python/bin").join(name);
    if installed.exists() { installed } else { name.into() }
}

/// Whether the tests run in their long form: `scripts/reliability` sets the variable.
pub fn is_long() -> bool {
    std::env::var_os("RELIABILITY").is_some_and(|form| form == "long")
}

/// The size of a test, in the short form and in the long one.
pub fn size<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// What a test measured, for the table of `scripts/reliability`; nothing in the short form.
pub fn figure(name: &str, value: impl std::fmt::Display) {
    use std::io::Write;
    if is_long() {
        // Not through `println!`, which the test runner would capture. The first line break ends the line of the runner.
        let line = format!("\nfigure: {name} {value}\n");
        std::io::stdout().write_all(line.as_bytes()).expect("the script reads");
    }
}

/// A number as people read it: 1,000,000.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).expect("digits")).collect();
    groups.join(",")
}

/// Resident memory of this process, in bytes.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line VmRSS");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
}

/// Bytes that this leaves allocated on this thread; negative if it frees what was allocated before.
pub fn left_behind(run: impl FnOnce()) -> i64 {
    allocation_counter::measure(run).bytes_current
}

/// The samples of an exposition, `name{labels}` to value.
pub fn samples(text: &str) -> BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
            (series.to_owned(), value.parse().expect("the value is a number"))
        })
        .collect()
}

/// The value of one series. Panics with the whole text if it is not there.
#[track_caller]
pub fn value(text: &str, series: &str) -> f64 {
    *samples(text).get(series).unwrap_or_else(|| panic!("no {series} in\n{text}"))
}

/// The sum over all series of a family or of one of its parts (`_count`, `_bucket`).
pub fn sum(text: &str, name: &str) -> f64 {
    let is_of = |series: &str| series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
    samples(text).iter().filter(|(series, _)| is_of(series)).map(|(_, value)| value).sum()
}

/// How many allocations this makes on this thread.
pub fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}

/// How many allocations this makes in its steady state: the least of a few rounds. A histogram allocates at the first sample in an octave,
/// and how long something takes varies.
pub fn steady_allocations(round: impl Fn()) -> u64 {
    (0..5).map(|_| allocations(&round)).min().unwrap_or_default()
}

/// Builds a package or a workspace in a folder outside of the repository, with the versions of the repository and without a list of
/// labels; removes the folder and returns where the programs are. Warnings fail it.
#[track_caller]
pub fn built_outside(folder: &std::path::Path) -> std::path::PathBuf {
    cargo_outside("build", folder);
    target_outside().join("debug")
}

/// The same with any command of cargo; what it prints.
#[track_caller]
pub fn cargo_outside(command: &str, folder: &std::path::Path) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("copied");
    let output = cargo_command()
        .current_dir(folder)
        .env_remove("COMPOZY_METRIC_LABELS")
        .args([command, "--quiet", "--config", "profile.dev.debug=false", "--target-dir"])
        .arg(target_outside())
        .output()
        .expect("cargo runs");
    let _ = std::fs::remove_dir_all(folder);
    let [said, printed] = [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && said.is_empty(), "{said}{printed}");
    printed
}

fn target_outside() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("first-day")
}

/// The remarks of `promtool check metrics` about a text; empty if there are none. Panics if the text does not parse.
#[track_caller]
pub fn promtool(text: &str) -> String {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is on the PATH: scripts/test installs it");
    check.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads");
    let output = check.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // Status 1: the text does not parse. Status 3: it does, and there are remarks.
    assert!(output.status.success() || output.status.code() == Some(3), "{}: {said}", output.status);
    // Two gauges have `_total` in the specification.
    let is_named_so = |line: &&str| line.starts_with("compozy_temporal_workers_") && line.contains("\"_total\" suffix");
    said.lines().filter(|line| !line.is_empty() && !is_named_so(line)).map(|line| format!("{line}\n")).collect()
}
