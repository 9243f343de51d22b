//! Against a peer that sees only strings: the same source under `grep` and under the linter.

mod common;

use std::collections::BTreeSet;

use common::Sandbox;

/// A label that is on no list, as somebody would search for it.
const PATTERN: &str = r#""user_id""#;

/// Line 5 is what both find; 8 to 10 are no labels; 13 to 15 and 19 are labels that the pattern does not see.
const SOURCE: &str = r##"use metrics::{counter, counter as bump};

const USER: &str = concat!("user", "_id");
fn both_are_right() {
    counter!("jobs_total", "user_id" => "7").increment(1);
}
fn grep_is_wrong() {
    // counter!("jobs_total", "user_id" => "7") was removed
    let row = json!({ "user_id": 7 });
    log::info!("{}", r#"never write counter!("jobs_total", "user_id" => ..)"#);
}
fn grep_misses() {
    counter!("jobs_total", USER => "7").increment(1);
    bump!("jobs_total", r"user_id" => "7", "user\u{5f}id" => "8").increment(1);
    counter!("jobs_total", "user\x5fid" => "7").increment(1);
}
compozy_monitoring::families! {
    /// Jobs.
    pub counter JOBS = "compozy_jobs_total" { user_id: str };
}
"##;

fn lines(text: &str, number: impl Fn(&str) -> Option<usize>) -> BTreeSet<usize> {
    text.lines().filter_map(number).collect()
}

#[test]
fn grep_finds_what_is_no_label_and_misses_labels() {
    let sandbox = Sandbox::new();
    sandbox.write("jobs.rs", SOURCE);
    let grep = sandbox.run("grep", &["-n", PATTERN, "jobs.rs"]);
    let grep = lines(&grep.stdout, |line| line.split(':').next()?.parse().ok());
    let lint = sandbox.lint(&["--format", "json", "jobs.rs"]);
    let lint = lines(&lint.stdout, |line| {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        (finding["label"] == "user_id").then(|| finding["line"].as_u64().unwrap().try_into().unwrap())
    });
    assert_eq!(lint, BTreeSet::from([5, 13, 14, 15, 19]), "every label, and nothing else");
    let wrong: Vec<_> = grep.difference(&lint).copied().collect();
    assert_eq!(wrong, [8, 9, 10], "a comment, a key of something else, a text");
    let missed: Vec<_> = lint.difference(&grep).copied().filter(|line| *line != 14).collect();
    assert_eq!(missed, [13, 15, 19], "a constant put together, an escape, a declared family");
}
