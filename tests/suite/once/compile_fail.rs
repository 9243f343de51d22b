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

use crate::common::cargo_incremental;

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
    // One of the `early` is what a build without the feature is told.
    let prometheus: &[&str] = if features == ["early"] { &[] } else { &["prometheus"] };
    cargo_incremental()
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

/// The errors of a build, whatever their kind, by the name of the file that they point into: the message, the place it
/// points at, and the notes that are ours.
fn errors(output: &Output) -> BTreeMap<String, Vec<String>> {
    messages(output, "error")
}

/// The same, of any level.
fn messages(output: &Output, level: &str) -> BTreeMap<String, Vec<String>> {
    let mut messages = BTreeMap::<String, Vec<String>>::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let message = &line["message"];
        let spans = message["spans"].as_array().map_or(&[][..], Vec::as_slice);
        if message["level"] == level
            && let Some(span) = spans.iter().find(|span| span["is_primary"] == true)
        {
            let span = written(span);
            let text = message["message"].as_str().unwrap_or_default();
            let text = text.strip_prefix("evaluation panicked: ").unwrap_or(text);
            let mut said = format!("{text}\nat `{}`", pointed_at(span));
            for note in message["children"].as_array().map_or(&[][..], Vec::as_slice) {
                let text = note["message"].as_str().unwrap_or_default();
                let compilers = ["required ", "the following other ", "expected ", "unsigned values"];
                if note["level"] == "note"
                    && note["spans"].as_array().is_none_or(Vec::is_empty)
                    && !compilers.iter().any(|begin| text.starts_with(begin))
                {
                    said.push_str(&format!("\nnote: {text}"));
                }
            }
            // What names the macro it comes from.
            let rendered = message["rendered"].as_str().unwrap_or_default();
            if rendered.contains("__declare_a_closed_set_once_and_name_it_without_braces_elsewhere") {
                said.push_str("\nfrom: __declare_a_closed_set_once_and_name_it_without_braces_elsewhere");
            }
            messages.entry(file(span)).or_default().push(said);
        }
    }
    messages
}

/// What the user wrote: the span itself, or that of the call if it is in a macro of ours.
fn written(span: &Value) -> &Value {
    let outer = &span["expansion"]["span"];
    if outer.is_object() && span["file_name"].as_str().unwrap_or_default().contains("src/facade/macros/") {
        return written(outer);
    }
    span
}

/// The text of a span; of one with several lines, the first and the last.
fn pointed_at(span: &Value) -> String {
    let lines = span["text"].as_array().map_or(&[][..], Vec::as_slice);
    let part = |line: &Value| {
        let text: Vec<char> = line["text"].as_str().unwrap_or_default().chars().collect();
        let place = |key: &str| line[key].as_u64().unwrap_or(1) as usize - 1;
        text[place("highlight_start")..place("highlight_end")].iter().collect::<String>()
    };
    match lines {
        [] => String::new(),
        [one] => part(one),
        [first, .., last] => format!("{} .. {}", part(first).trim(), part(last).trim()),
    }
}

/// The file of a span.
fn file(span: &Value) -> String {
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
    // The compiler would list closed sets, with `http-*` also those of this crate.
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("types implement trait `ClosedLabel`"), "{text}");
    let mut found = errors(&output);
    let sources = sources(folder);
    let mut wrong = Vec::new();
    for source in &sources {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(source).expect("UTF-8");
        let is_head = |line: &&str| line.starts_with("//~");
        let expected: Vec<&str> = text.lines().take_while(is_head).map(|line| line[3..].trim_start()).collect();
        let said = found.remove(&name).unwrap_or_default();
        if said.len() != 1 {
            wrong.push(format!("{name}: one mistake, and {} errors", said.len()));
        }
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
    assert!(compare("cases") >= 50);
    assert!(compare("early") >= 75);

    // One label more on the list: everything that depends on it is built again, and the label is allowed.
    let errors = errors(&check("cases", &format!("{LABELS},region")));
    assert!(!errors.contains_key("label_literal") && errors.contains_key("label_of_a_gauge"), "{errors:#?}");
}

#[test]
fn a_build_without_a_list_is_told_so_and_where_cargo_looks_for_it() {
    // Cargo reads `.cargo/config.toml` of the folder it is called in: from elsewhere it is not found.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad-labels/Cargo.toml");
    let check = |list: Option<&str>| {
        let mut command = cargo_incremental();
        command.current_dir(std::env::temp_dir()).env_remove("COMPOZY_METRIC_LABELS").arg("check").arg("--quiet");
        command.args(["--message-format", "json", "--features", "cases", "--target-dir"]).arg(target());
        command.arg("--manifest-path").arg(&fixture);
        if let Some(list) = list {
            command.env("COMPOZY_METRIC_LABELS", list);
        }
        let errors = errors(&command.output().expect("cargo runs"));
        errors.get("family_label").map(|all| all.join("\n")).unwrap_or_default()
    };
    let said = check(None);
    for part in [
        "for free text no list was given to this build: COMPOZY_METRIC_LABELS is not set",
        "Cargo reads that file from the folder in which it is called, and from those above it",
        "COMPOZY_METRIC_LABELS = { value = \"region\", force = true }",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    let said = check(Some(" "));
    assert!(
        said.contains("the list for free text, COMPOZY_METRIC_LABELS, is empty") && !said.contains("no list"),
        "{said}"
    );
    let said = check(Some("queue"));
    assert!(said.contains("COMPOZY_METRIC_LABELS, lacks it: queue\n") && !said.contains("no list"), "{said}");
}

#[test]
fn a_family_without_a_doc_comment_is_a_warning_at_its_name() {
    let output = check("undocumented", LABELS);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = "a family has a doc comment, which is its help text: `/// Jobs done.`";
    let expected =
        ["JOBS", "DEPTH"].map(|name| format!("use of deprecated constant `{name}::_::{name}`: {text}\nat `{name}`"));
    let mut said = messages(&output, "warning");
    for warnings in said.values_mut().flatten() {
        // The paths within the module, and what says how to silence it.
        *warnings = warnings.replace("undocumented::", "");
        if let Some(end) = warnings.find("\nnote: `#[warn") {
            warnings.truncate(end);
        }
    }
    assert_eq!(said, BTreeMap::from([("undocumented".to_owned(), expected.to_vec())]));
}

#[test]
fn a_guard_that_is_dropped_at_once_is_a_warning_that_says_how_to_keep_it() {
    let output = check("unused", LABELS);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut said = messages(&output, "warning").remove("unused").unwrap_or_default();
    said.iter_mut().for_each(|warning| warning.truncate(warning.find("\nnote: `#[warn").unwrap_or(warning.len())));
    said.sort();
    assert_eq!(
        said,
        [
            "unused `Timer` that must be used\nat `WAIT.start_timer()`\n\
             note: a timer records when it is dropped, and `let _ =` drops it at once: write `let _timer =`",
            "unused `TrackGuard` that must be used\nat `BUSY.track()`\n\
             note: the guard counts as long as it lives, and `let _ =` drops it at once: write `let _busy =`",
        ]
    );
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
            "compozy_http_calls_seconds, a histogram of one series for each combination of status_code: 200, 500, the values of Status",
        ),
        ("ALL", "workflow_type: free text, up to the cap on series version: free text"),
        ("ALL", "task_type: basic, the values of TaskType queue: the values of Queue path: free text"),
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
        ("queue,user_id", "`user_id` speaks of a person or of one request"),
        ("queue,task_type,queue", "`queue` is there twice"),
    ] {
        let errors = errors(&check("prometheus", labels));
        let text = errors.get("check").map(|all| all.join("\n")).unwrap_or_default();
        assert!(text.starts_with(&format!("COMPOZY_METRIC_LABELS (.cargo/config.toml): {problem}")), "{errors:#?}");
        assert!(text.contains("accepted: label names separated by commas"), "{text}");
    }
}
