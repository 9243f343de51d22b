//! The command line: exit status, formats, settings, and files that cannot be checked.

mod common;

use std::{fs, os::unix::fs::symlink, path::Path};

use common::Sandbox;
use serde_json::Value;

const BAD: &str = "fn f() {\n    metrics::counter!(\"requests_total\", \"user\" => \"a\").increment(1);\n}\n";
const WARNING: &str = "fn f(name: &'static str) {\n    metrics::counter!(name).increment(1);\n}\n";

fn with(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, content) in files {
        sandbox.write(name, content);
    }
    sandbox
}

fn rules(stdout: &str) -> Vec<String> {
    let rule = |line: &str| serde_json::from_str::<Value>(line).unwrap()["rule"].as_str().unwrap().to_owned();
    stdout.lines().map(rule).collect()
}

#[test]
fn clean_is_0_findings_are_1_and_warnings_only_when_denied() {
    let sandbox = with(&[("good.rs", "fn f() {}"), ("bad.rs", BAD), ("warning.rs", WARNING)]);
    assert_eq!(sandbox.lint(&["good.rs"]).code, 0);
    assert_eq!(sandbox.lint(&["bad.rs"]).code, 1);
    assert_eq!(sandbox.lint(&["warning.rs"]).code, 0);
    assert_eq!(sandbox.lint(&["--deny-warnings", "warning.rs"]).code, 1);
    assert_eq!(sandbox.lint(&["--deny-warnings", "good.rs"]).code, 0);
    let all = sandbox.lint(&[]);
    assert_eq!(all.code, 1);
    assert!(all.stderr.contains("1 error, 1 warning in 3 files (7 lines)"), "{}", all.stderr);
}

#[test]
fn what_cannot_run_is_2_and_says_why() {
    let sandbox = with(&[("good.rs", "fn f() {}")]);
    for (arguments, reason) in [
        (&["missing"][..], "missing: No such file"),
        (&["good.rs", "missing.rs"], "missing.rs: No such file"),
        (&["--format", "xml"], "`xml` is no format; accepted: human, json, rustc, github, sarif"),
        (&["--fix"], "invalid option '--fix'"),
        (&["--max-bytes", "many"], "many"),
        (&["--explain", "nonsense"], "`nonsense` is no rule; accepted: all, disallowed-label"),
    ] {
        let run = sandbox.lint(arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.stderr.contains(reason), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn help_version_and_the_explanation_of_every_rule() {
    let sandbox = Sandbox::new();
    assert!(sandbox.lint(&["--help"]).stdout.contains("Exit status: 0 clean, 1 findings, 2 could not run."));
    assert_eq!(sandbox.lint(&["-V"]).stdout, concat!("label-lint ", env!("CARGO_PKG_VERSION"), "\n"));
    let all = sandbox.lint(&["--explain", "all"]);
    assert_eq!((all.code, all.stdout.lines().count()), (0, 23));
    for line in all.stdout.lines() {
        let rule = line.split_whitespace().next().unwrap();
        let run = sandbox.lint(&["--explain", rule]);
        assert_eq!(run.code, 0);
        for part in [rule, "Bad:", "Good:", "```"] {
            assert!(run.stdout.contains(part), "{rule} has no {part}:\n{}", run.stdout);
        }
    }
}

#[test]
fn cargo_passes_its_own_word_along() {
    let sandbox = with(&[("bad.rs", BAD)]);
    let cargo = env!("CARGO_BIN_EXE_cargo-label-lint");
    assert_eq!(sandbox.run(cargo, &["label-lint", "bad.rs"]).code, 1);
    assert_eq!(sandbox.run(cargo, &["label-lint"]).code, 1);
    assert_eq!(sandbox.run(cargo, &["bad.rs"]).code, 1);
}

#[test]
fn json_is_one_object_a_line() {
    let sandbox = with(&[("a.rs", BAD), ("b.rs", WARNING)]);
    let run = sandbox.lint(&["--format", "json"]);
    let findings: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(findings.len(), 2);
    let first = &findings[0];
    assert_eq!(first["rule"], "disallowed-label");
    assert_eq!(first["severity"], "error");
    assert_eq!(first["file"], "a.rs");
    assert_eq!([&first["line"], &first["column"], &first["end_line"], &first["end_column"]], [2, 41, 2, 47]);
    assert_eq!(first["label"], "user");
    assert_eq!(first["message"], "the label `user` is not allowed on `requests_total`");
    assert_eq!(findings[1]["severity"], "warning");
    assert_eq!(run.stderr, "");
}

#[test]
fn github_gets_annotations() {
    let sandbox = with(&[("a,b.rs", BAD)]);
    let run = sandbox.lint(&["--format", "github"]);
    let start =
        "::error file=a%2Cb.rs,line=2,endLine=2,col=41,endColumn=47,title=label-lint%3A disallowed-label::the label";
    assert!(run.stdout.starts_with(start), "{}", run.stdout);
    assert_eq!(run.stdout.lines().count(), 1);
    assert!(run.stdout.contains("%0Aallowed: `method`"));
}

#[test]
fn sarif_has_a_rule_and_a_region_for_each_result() {
    let sandbox = with(&[("a b.rs", BAD), ("latin1.rs", "")]);
    sandbox.write("latin1.rs", b"// caf\xe9\n");
    let run = sandbox.lint(&["--format", "sarif"]);
    let log: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let driver = &log["runs"][0]["tool"]["driver"];
    let known: Vec<&str> =
        driver["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        assert!(known.contains(&result["ruleId"].as_str().unwrap()));
        assert!(result["message"]["text"].is_string());
    }
    let location = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "a%20b.rs");
    assert_eq!(location["region"]["startLine"], 2);
    assert_eq!(location["region"]["startColumn"], 41);
}

#[test]
fn a_pipe_gets_neither_colour_nor_progress() {
    let sandbox = with(&[("bad.rs", BAD)]);
    let run = sandbox.lint(&["bad.rs"]);
    assert!(!run.stdout.contains('\u{1b}'));
    assert!(!run.stderr.contains('\r') && !run.stderr.contains('\u{1b}'), "{:?}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1);
}

#[test]
fn files_that_cannot_be_checked_are_findings() {
    let sandbox = with(&[("broken.rs", "fn f( {"), ("large.rs", &"// much\n".repeat(100)), ("good.rs", "fn f() {}")]);
    sandbox.write("latin1.rs", b"// one\n// caf\xe9\n");
    symlink("nowhere.rs", sandbox.path("dangling.rs")).unwrap();
    let run = sandbox.lint(&["--format", "json", "--max-bytes", "500"]);
    let mut found = rules(&run.stdout);
    found.sort();
    assert_eq!(found, ["file-too-large", "parse-error", "unreadable-file", "unreadable-file"]);
    assert!(run.stdout.contains("the first bad byte is number 13, on line 2"), "{}", run.stdout);
    assert!(run.stdout.contains("this file has 800 bytes, more than the limit of 500"));
    assert_eq!(run.code, 1);
    let human = sandbox.lint(&["latin1.rs"]);
    assert!(human.stdout.contains("error[unreadable-file]") && human.stdout.contains("latin1.rs"), "{}", human.stdout);
}

#[test]
fn links_may_go_round_and_lead_to_one_file_twice() {
    let sandbox = with(&[("src/bad.rs", BAD)]);
    symlink("..", sandbox.path("src/up")).unwrap();
    symlink("src", sandbox.path("again")).unwrap();
    symlink(sandbox.path("src/bad.rs"), sandbox.path("src/other.rs")).unwrap();
    let run = sandbox.lint(&["--format", "json"]);
    assert_eq!(rules(&run.stdout), ["disallowed-label"]);
}

#[test]
fn gitignore_and_cache_directories_are_respected_with_and_without_git() {
    let sandbox = with(&[
        (".gitignore", "/generated\n*.gen.rs\n"),
        ("generated/bad.rs", BAD),
        ("src/bad.gen.rs", BAD),
        ("src/good.rs", "fn f() {}"),
        ("build/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55"),
        ("build/bad.rs", BAD),
    ]);
    assert_eq!(sandbox.lint(&["--deny-warnings"]).code, 0);
    assert_eq!(sandbox.lint(&["src/bad.gen.rs"]).code, 1, "a file that is named is checked");
}

#[test]
fn the_applications_own_labels_come_from_the_files_above() {
    let sandbox = with(&[("app/src/bad.rs", BAD)]);
    assert_eq!(sandbox.lint(&["app"]).code, 1);
    sandbox.labels("queue, user");
    assert_eq!(sandbox.lint(&["app"]).code, 0);
    sandbox.write(".cargo/config.toml", "[env]\nCOMPOZY_METRIC_LABELS = \"user\"\n");
    assert_eq!(sandbox.lint(&["app/src/bad.rs"]).code, 0);
    sandbox.write("app/.cargo/config.toml", "[env]\nCOMPOZY_METRIC_LABELS = \"queue\"\n");
    assert_eq!(sandbox.lint(&["app"]).code, 1, "the nearest file wins");
    sandbox.write("app/.cargo/config.toml", "[env]\nOTHER = \"1\"\n");
    assert_eq!(sandbox.lint(&["app"]).code, 0, "a file without the variable says nothing");
}

#[test]
fn a_bad_list_stops_the_run_and_is_named() {
    let sandbox = with(&[("src/good.rs", "fn f() {}")]);
    for (list, reason) in [
        ("task-type", "`task-type` is no label name"),
        ("queue,path", "`path` is on the core list already"),
        ("queue,,task_type", "`` is empty"),
        ("le", "`le` is a reserved label"),
    ] {
        sandbox.labels(list);
        let run = sandbox.lint(&["src"]);
        assert_eq!(run.code, 2, "{list}");
        for part in [".cargo/config.toml:2: ", "COMPOZY_METRIC_LABELS", reason, "accepted: label names"] {
            assert!(run.stderr.contains(part), "{list}: no {part}: {}", run.stderr);
        }
    }
    sandbox.write(".cargo/config.toml", "[env]\n\nCOMPOZY_METRIC_LABELS = 3\n");
    assert!(sandbox.lint(&["src"]).stderr.contains(".cargo/config.toml:3: COMPOZY_METRIC_LABELS is no text"));
    sandbox.write(".cargo/config.toml", "[env\n");
    assert_eq!(sandbox.lint(&["src"]).code, 2);
}

#[test]
fn globs_in_the_root_manifest_exclude_files() {
    let sandbox = with(&[("app/src/bad.rs", BAD), ("app/src/generated/worse.rs", "fn f( {")]);
    let settings = |table: &str| sandbox.write("Cargo.toml", format!("[workspace]\nmembers = []\n{table}"));
    settings("[workspace.metadata.label-lint]\nexclude = [\"app/src/generated/**\"]\n");
    let run = sandbox.lint(&["--format", "json"]);
    assert_eq!(rules(&run.stdout), ["disallowed-label"]);
    assert!(sandbox.lint(&[]).stderr.contains("1 file excluded"));
    settings("[workspace.metadata.label-lint]\nexclude = [\"**/*.rs\"]\n");
    assert_eq!(sandbox.lint(&["app/src/bad.rs"]).code, 0, "a file that is named is excluded as well");
    settings("[workspace.metadata.label-lint]\nexclude = [\"*.rs\"]\n");
    assert_eq!(sandbox.lint(&["app/src/bad.rs"]).code, 1, "`*` stops at `/`");
}

#[test]
fn bad_settings_stop_the_run_and_are_named() {
    let sandbox = with(&[("src/good.rs", "fn f() {}")]);
    for (table, reason) in [
        ("exclud = []", "Cargo.toml:4: [workspace.metadata.label-lint]: unknown key `exclud`; accepted: `exclude"),
        ("exclude = \"a\"", "Cargo.toml:4: [workspace.metadata.label-lint]: `exclude` is no list"),
        ("exclude = [\n\"a\",\n3]", "Cargo.toml:6: [workspace.metadata.label-lint]: an entry of `exclude` is no text"),
        ("exclude = [\"a[\"]", "Cargo.toml:4: [workspace.metadata.label-lint]: `a[` is no glob"),
    ] {
        sandbox.write("Cargo.toml", format!("[workspace]\n\n[workspace.metadata.label-lint]\n{table}\n"));
        let run = sandbox.lint(&["src"]);
        assert_eq!(run.code, 2, "{table}");
        assert!(run.stderr.contains(reason), "{table}: {}", run.stderr);
    }
}

#[test]
fn a_single_file_is_checked_with_the_constants_of_its_package() {
    let sandbox = Sandbox::new();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    sandbox.copy(&corpus.join("bad_package_two_files"), ".");
    sandbox.labels("queue");
    let run = sandbox.lint(&["--format", "json", "src/work.rs"]);
    assert_eq!(rules(&run.stdout), ["disallowed-label"; 4], "{}", run.stdout);
    assert!(sandbox.lint(&["src/work.rs"]).stderr.contains("in 1 file"));
}

#[test]
fn a_lock_is_found_from_below_and_one_that_is_no_toml_is_reported() {
    let sandbox = Sandbox::new();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    sandbox.copy(&corpus.join("bad_package_two_versions"), ".");
    for arguments in [&["--format", "json"][..], &["--format", "json", "src"], &["--format", "json", "src/lib.rs"]] {
        let run = sandbox.lint(arguments);
        assert_eq!(rules(&run.stdout), ["two-metrics-versions"], "{arguments:?}");
        for part in
            ["`metrics` 0.23.1 is pulled in by `old 1.2.3`", "`metrics` 0.24.6 is pulled in by `two-versions 0.1.0`"]
        {
            assert!(run.stdout.contains(part), "{}", run.stdout);
        }
    }
    let one = fs::read_to_string(sandbox.path("Cargo.lock")).unwrap().replace("0.23.1", "0.24.6");
    sandbox.write(
        "Cargo.lock",
        one.replacen(
            "[[package]]\nname = \"metrics\"\nversion = \"0.24.6\"",
            "[[package]]\nname = \"log\"\nversion = \"1.0.0\"",
            1,
        ),
    );
    assert_eq!(sandbox.lint(&[]).code, 0);
    sandbox.write("Cargo.lock", "<<<<<<< HEAD\n");
    assert_eq!(rules(&sandbox.lint(&["--format", "json"]).stdout), ["parse-error"]);
}

#[test]
fn a_reader_that_leaves_early_is_no_fault() {
    let sandbox = with(&[(
        "bad.rs",
        &BAD.replace("increment(1);", &"increment(1); metrics::gauge!(\"a\", \"user\" => \"b\");".repeat(2_000)),
    )]);
    let program = env!("CARGO_BIN_EXE_label-lint");
    let run = sandbox.run("sh", &["-c", &format!("'{program}' bad.rs | head -n 1")]);
    assert!(run.stdout.starts_with("error[disallowed-label]"));
    assert!(!run.stderr.contains("cannot write") && !run.stderr.contains("panicked"), "{}", run.stderr);
}

#[test]
fn a_real_binary_with_two_versions_is_found_by_its_lock() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/two-metrics");
    let sandbox = Sandbox::new();
    sandbox.copy(&fixture.join("Cargo.lock"), "Cargo.lock");
    sandbox.copy(&fixture.join("Cargo.toml"), "Cargo.toml");
    let run = sandbox.lint(&["--format", "json"]);
    assert_eq!(rules(&run.stdout), ["two-metrics-versions"], "{}", run.stdout);
    assert_eq!(run.code, 1);
    for part in ["`metrics` 0.23.1 is pulled in by `two-metrics 0.0.0`", "`metrics` 0.24."] {
        assert!(run.stdout.contains(part), "{}", run.stdout);
    }
}
