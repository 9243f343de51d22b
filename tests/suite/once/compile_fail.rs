//! What must not compile, and what the compiler says to it: `tests/fixtures/bad-labels`, one source a rule.
//!
//! Each source begins with the message, in lines `//~`. Only the message and where it points are compared: how the
//! compiler draws it is its own affair and changes with its version.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

/// The labels of the application in these builds.
const LABELS: &str = "task_type,queue";

/// Checks the fixture, with one of its features and one list of labels.
fn check(feature: &str, labels: &str) -> Output {
    cargo(&["check", "--message-format", "json"], &[feature], labels)
}

/// Where the fixture is built.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-fail")
}

/// A cargo command on the fixture.
fn cargo(command: &[&str], features: &[&str], labels: &str) -> Output {
    let prometheus: &[&str] = if cfg!(feature = "prometheus") { &["prometheus"] } else { &[] };
    crate::common::cargo_command()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(command)
        .args(["--quiet", "--package", "bad-labels"])
        .args(["--features", &[features, prometheus].concat().join(","), "--target-dir"])
        .arg(target())
        .args(["--config", &format!("env.COMPOZY_METRIC_LABELS.value = '{labels}'")])
        .args(["--config", "env.COMPOZY_METRIC_LABELS.force = true"])
        .output()
        .expect("cargo runs")
}

/// The errors of a build, by the name of the file that they point into.
fn errors(output: &Output) -> BTreeMap<String, Vec<String>> {
    let mut errors = BTreeMap::<String, Vec<String>>::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let message = &line["message"];
        let spans = message["spans"].as_array().map_or(&[][..], Vec::as_slice);
        let code = &message["code"]["code"];
        // Our own errors: of constants, and `compile_error!`.
        if message["level"] == "error"
            && (code.is_null() || code == "E0080")
            && let Some(span) = spans.iter().find(|span| span["is_primary"] == true)
        {
            let text = message["message"].as_str().unwrap_or_default();
            let text = text.strip_prefix("evaluation panicked: ").unwrap_or(text);
            let all = errors.entry(file(span)).or_default();
            if !all.iter().any(|known| known == text) {
                all.push(text.to_owned());
            }
        }
    }
    errors
}

/// The file of a span, or of the user's call if it is in a macro.
fn file(span: &Value) -> String {
    let outer = &span["expansion"]["span"];
    if outer.is_object() && Path::new(span["file_name"].as_str().unwrap_or_default()).ends_with("src/macros.rs") {
        return file(outer);
    }
    let path = Path::new(span["file_name"].as_str().unwrap_or_default());
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad-labels/src").join(folder);
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path()).collect()
}

/// Compares every source of a folder with what the compiler said. `COMPILE_FAIL=write` writes the messages instead.
fn compare(folder: &str) -> usize {
    let output = check(folder, LABELS);
    assert!(!output.status.success(), "it compiles");
    let mut found = errors(&output);
    let sources = sources(folder);
    let mut wrong = Vec::new();
    for source in &sources {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(source).expect("UTF-8");
        let is_head = |line: &&str| line.starts_with("//~");
        let expected: Vec<&str> = text.lines().take_while(is_head).map(|line| line[3..].trim_start()).collect();
        let said = found.remove(&name).unwrap_or_default();
        if expected.join("\n") == said.join("\n") {
            continue;
        }
        if std::env::var_os("COMPILE_FAIL").is_some_and(|value| value == "write") {
            let head = said.join("\n").lines().map(|line| format!("//~ {line}\n")).collect::<String>();
            let body: Vec<&str> = text.lines().skip_while(is_head).collect();
            fs::write(source, format!("{head}{}\n", body.join("\n"))).expect("writable");
        }
        wrong.push(format!("{name}: the compiler says\n{}\n", said.join("\n")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found.is_empty(), "errors elsewhere: {found:#?}");
    sources.len()
}

#[test]
fn what_must_not_compile_does_not_and_the_message_says_why() {
    assert!(compare("cases") >= 40);
    compare("early");

    // One label more on the list: everything that depends on it is built again, and the label is allowed.
    let errors = errors(&check("cases", &format!("{LABELS},user_id")));
    assert!(!errors.contains_key("label_literal") && errors.contains_key("label_of_a_gauge"), "{errors:#?}");
}

#[test]
fn the_documentation_of_a_family_lists_its_series() {
    let output = cargo(&["doc", "--no-deps"], &[], LABELS);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = |name: &str| {
        let html = fs::read_to_string(target().join(format!("doc/bad_labels/static.{name}.html"))).expect("a page");
        let mut tag = false;
        let text = html.chars().filter(|c| {
            let inside = tag || *c == '<';
            tag = inside && *c != '>';
            !inside
        });
        text.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (name, text) in [
        ("RUNNING", "compozy_temporal_workers_running_total, a gauge of one series."),
        (
            "HTTP",
            "compozy_http_calls_seconds, a histogram of one series for each combination of status_code: 200, 500 (Status)",
        ),
        ("ALL", "workflow_type: free text, up to the cap on series version: free text"),
        ("ALL", "task_type: basic (TaskType) queue: the values of Queue path: free text"),
    ] {
        assert!(page(name).contains(text), "{text} in\n{}", page(name));
    }
}

#[test]
fn a_bad_list_is_a_build_error_that_names_the_entry() {
    for (labels, problem) in [
        ("queue,", "`` is empty"),
        ("queue,user-id", "`user-id` is no label name"),
        ("Queue", "`Queue` is no label name"),
        ("queue,__name__", "`__name__` is a reserved label"),
        ("queue,path", "`path` is on the core list already"),
        ("queue,task_type,queue", "`queue` is there twice"),
    ] {
        let errors = errors(&check("prometheus", labels));
        let text = errors.get("check").map(|all| all.join("\n")).unwrap_or_default();
        assert!(text.starts_with(&format!("COMPOZY_METRIC_LABELS (.cargo/config.toml): {problem}")), "{errors:#?}");
        assert!(text.contains("accepted: label names separated by commas"), "{text}");
    }
}
