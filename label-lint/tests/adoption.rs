//! Adoption in a tree that has findings: a baseline, changed lines, levels, overrides; and what a run says about itself.

mod common;

use std::{fs, os::unix::fs::symlink};

use common::{Run, Sandbox};
use serde_json::Value;

const BAD: &str = "fn f() {\n    metrics::counter!(\"requests_total\", \"user\" => \"a\").increment(1);\n}\n";
const WARNING: &str = "fn g(name: &'static str) {\n    metrics::counter!(name).increment(1);\n}\n";

fn with(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, content) in files {
        sandbox.write(name, content);
    }
    sandbox
}

fn rules(run: &Run) -> Vec<String> {
    let rule = |line: &str| serde_json::from_str::<Value>(line).unwrap()["rule"].as_str().unwrap().to_owned();
    run.stdout.lines().map(rule).collect()
}

fn git(sandbox: &Sandbox, arguments: &[&str]) {
    let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
    let run = sandbox.run("git", &[&who[..], arguments].concat());
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
}

#[test]
fn a_baseline_hides_what_is_in_it_wherever_it_moves_and_nothing_else() {
    let sandbox = with(&[("src/old.rs", BAD)]);
    let written = sandbox.lint(&["--baseline", "known.jsonl", "--write-baseline", "src"]);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{}", written.stderr);
    assert_eq!(sandbox.lint(&["--baseline", "known.jsonl", "src"]).code, 0);
    sandbox.write("src/old.rs", format!("// moved\n\n{BAD}"));
    let moved = sandbox.lint(&["--baseline", "known.jsonl"]);
    assert_eq!(moved.code, 0, "{}", moved.stdout);
    assert!(moved.stderr.contains("skipped: 1 finding in the baseline"), "{}", moved.stderr);
    assert_eq!(sandbox.lint_in("src", &["--baseline", "../known.jsonl", "."]).code, 0, "from elsewhere");
    sandbox.write("src/old.rs", format!("{BAD}{}", BAD.replace("f()", "again()")));
    let more = sandbox.lint(&["--format", "json", "--baseline", "known.jsonl"]);
    assert_eq!(rules(&more), ["disallowed-label"], "one of two is known");
    sandbox.write("src/old.rs", "fn f() {}");
    let gone = sandbox.lint(&["--baseline", "known.jsonl"]);
    assert!(gone.stderr.contains("no longer found, to be removed from the baseline: 1"), "{}", gone.stderr);
    sandbox.write("known.jsonl", "nonsense\n");
    let broken = sandbox.lint(&["--baseline", "known.jsonl"]);
    assert_eq!(broken.code, 2);
    assert!(broken.stderr.contains("known.jsonl:1: this is no line of a baseline"), "{}", broken.stderr);
    assert_eq!(sandbox.lint(&["--baseline", "missing.jsonl"]).code, 2);
    assert!(sandbox.lint(&["--write-baseline"]).stderr.contains("needs the file"));
}

#[test]
fn the_settings_may_name_the_baseline() {
    let sandbox = with(&[("src/old.rs", BAD)]);
    sandbox.write("Cargo.toml", "[workspace]\n[workspace.metadata.label-lint]\nbaseline = \"ci/known.jsonl\"\n");
    fs::create_dir(sandbox.path("ci")).unwrap();
    assert_eq!(sandbox.lint(&["--write-baseline"]).code, 0);
    assert_eq!(sandbox.lint(&[]).code, 0);
    assert_eq!(sandbox.lint(&["src/old.rs"]).code, 0);
}

#[test]
fn since_tells_only_what_is_on_lines_that_differ() {
    let sandbox = with(&[("src/old.rs", BAD), ("src/a \"ü\".rs", BAD)]);
    git(&sandbox, &["init", "-q"]);
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-q", "-m", "a"]);
    let none = sandbox.lint(&["--since", "HEAD"]);
    assert_eq!(none.code, 0, "{}", none.stdout);
    assert!(none.stderr.contains("2 findings on lines that did not change"), "{}", none.stderr);
    sandbox.write("src/old.rs", format!("// above\n{BAD}{}", BAD.replace("f()", "new()")));
    sandbox.write("src/a \"ü\".rs", BAD.replace("\"user\"", "\"client\""));
    sandbox.write("src/untracked.rs", BAD);
    let run = sandbox.lint(&["--format", "json", "--since", "HEAD"]);
    let lines: Vec<(String, u64)> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|finding| (finding["file"].as_str().unwrap().to_owned(), finding["line"].as_u64().unwrap()))
        .collect();
    let expected = [("src/a \"ü\".rs", 2), ("src/old.rs", 6), ("src/untracked.rs", 2)];
    assert_eq!(lines, expected.map(|(file, line)| (file.to_owned(), line)));
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-q", "-m", "b"]);
    assert_eq!(sandbox.lint(&["--since", "HEAD"]).code, 0);
    assert_eq!(sandbox.lint_in("src", &["--since", "HEAD~1"]).code, 1);
    for bad in ["nowhere", "--output=x", ""] {
        let run = sandbox.lint(&[&format!("--since={bad}")]);
        assert_eq!(run.code, 2, "{bad}: {}", run.stderr);
    }
}

#[test]
fn each_rule_has_a_level_in_the_settings_by_path_and_on_the_command_line() {
    let sandbox = with(&[("src/bad.rs", BAD), ("src/warning.rs", WARNING), ("tests/bad.rs", BAD)]);
    let settings = |table: &str| {
        let manifest = format!("[workspace]\n[workspace.metadata.label-lint]\n{table}");
        sandbox.write("Cargo.toml", manifest);
    };
    settings("levels = { disallowed-label = \"warning\", unresolved-name = \"error\" }\n");
    let run = sandbox.lint(&[]);
    assert!(run.stderr.contains("1 error, 2 warnings in 3 files"), "{}", run.stderr);
    settings("overrides = [{ paths = [\"tests/**\"], levels = { disallowed-label = \"off\" } }]\n");
    assert!(sandbox.lint(&[]).stderr.contains("1 error, 1 warning in 3 files"));
    settings("overrides = [{ paths = [\"tests/**\", \"src/b*\"], allow = [\"user\"] }]\n");
    assert!(sandbox.lint(&[]).stderr.contains("0 errors, 1 warning in 3 files"));
    settings("levels = { unresolved-name = \"note\" }\n");
    let run = sandbox.lint(&["--deny-warnings", "src/warning.rs"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.starts_with("note[unresolved-name]") && run.stderr.contains("1 note"), "{}", run.stdout);
    let run = sandbox.lint(&["--level", "unresolved-name=error", "--level", "disallowed-label=off"]);
    assert!(run.stderr.contains("1 error, 0 warnings in 3 files"), "the command line wins: {}", run.stderr);
    for (table, reason) in [
        ("levels = { nonsense = \"off\" }", "Cargo.toml:3: [workspace.metadata.label-lint]: `nonsense` is no rule"),
        ("levels = { family-name = \"deny\" }", "`deny` is no level, there are: off, note, warning, error"),
        ("levels = 3", "`levels` is no table"),
        ("overrides = [{ levels = {} }]", "an override without `paths`"),
        ("overrides = [{ paths = [\"a\"], lavels = {} }]", "unknown key `lavels` in an override"),
        ("overrides = 1", "`overrides` is no list"),
        ("baseline = 1", "`baseline` is no text"),
    ] {
        settings(table);
        let run = sandbox.lint(&[]);
        assert_eq!(run.code, 2, "{table}");
        assert!(run.stderr.contains(reason), "{table}: {}", run.stderr);
    }
    settings("");
    for (word, reason) in
        [("family-name", "RULE=LEVEL"), ("x=off", "`x` is no rule"), ("family-name=x", "`x` is no level")]
    {
        let run = sandbox.lint(&["--level", word]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(reason), "{}", run.stderr);
    }
}

#[test]
fn settings_stand_in_the_root_manifest_and_nowhere_else() {
    let table = "exclude = [\"src/bad.rs\"]\n";
    let package = |of: &str, name: &str| format!("[package]\nname = \"a\"\n[{of}.metadata.{name}]\n{table}");
    let sandbox = with(&[("a/src/bad.rs", BAD), ("a/src/good.rs", "fn f() {}")]);
    sandbox.write("a/Cargo.toml", package("package", "label-lint"));
    assert_eq!(sandbox.lint(&["a"]).code, 0, "a package without a workspace is its own root");
    sandbox.write("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n");
    let run = sandbox.lint(&["a"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("a/Cargo.toml:3: [package.metadata.label-lint] is not read"), "{}", run.stderr);
    sandbox.write("a/Cargo.toml", "[package]\nname = \"a\"\n");
    sandbox.write("Cargo.toml", format!("[workspace]\n[workspace.metadata.label_lint]\n{table}"));
    assert!(sandbox.lint(&["a"]).stderr.contains("the name of this table is `label-lint`"));
}

#[test]
fn a_run_that_looked_at_nothing_could_not_run() {
    let sandbox = with(&[("empty/readme.txt", "no source"), ("src/good.rs", "fn f() {}"), ("other/.gitignore", "*")]);
    for (arguments, what) in [(&["empty"][..], "empty: "), (&["src", "empty"], "empty: "), (&["other"], "other: ")] {
        let run = sandbox.lint(arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.stderr.contains(&format!("{what}there is no Rust source to look at")), "{}", run.stderr);
    }
    assert_eq!(sandbox.lint(&["src", "src/good.rs"]).code, 0, "what was looked at already");
}

#[test]
fn the_summary_says_what_was_looked_at_and_what_was_not() {
    let sandbox = with(&[
        ("src/bad.rs", BAD),
        ("src/derived.rs", "use metrics_derive::Metrics;\n#[derive(Metrics)]\nstruct M { a: Counter }\n"),
        ("src/added.rs", "use opentelemetry::KeyValue;\nfn f() { c.add(1, &[KeyValue::new(\"method\", a)]); }\n"),
    ]);
    let run = sandbox.lint(&[]);
    let expected = "1 error, 0 warnings in 3 files (8 lines); looked at: 1 metric, 2 labels; \
                    skipped: the labels of `#[derive(Metrics)]`\n";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
    for other in [
        "let all = [KeyValue::new(\"zone\", a)];",
        "log!(KeyValue::new(NAME, a));",
        "c.add(1, KeyValue::new(\"zone\", a));",
    ] {
        sandbox.write("src/added.rs", format!("use opentelemetry::KeyValue;\nfn f() {{ {other} }}\n"));
        let run = sandbox.lint(&[]);
        let expected = "`#[derive(Metrics)]`, the labels of `KeyValue`s of OpenTelemetry outside of `add`, `record` and `observe`\n";
        assert!(run.stderr.contains(expected), "{other}: {}", run.stderr);
    }
}

#[test]
fn a_link_that_leads_nowhere_is_left_alone_unless_it_is_a_source() {
    let sandbox = with(&[("src/good.rs", "fn f() {}")]);
    symlink("nowhere", sandbox.path("notes.txt")).unwrap();
    symlink("nowhere", sandbox.path("src/no_extension")).unwrap();
    assert_eq!(sandbox.lint(&["--deny-warnings"]).code, 0);
    symlink("nowhere.rs", sandbox.path("src/dangling.rs")).unwrap();
    assert_eq!(rules(&sandbox.lint(&["--format", "json"])), ["unreadable-file"]);
    sandbox.write("Cargo.toml", "[workspace]\n[workspace.metadata.label-lint]\nexclude = [\"src/dangling.rs\"]\n");
    assert_eq!(sandbox.lint(&[]).code, 0);
}

#[test]
fn the_list_is_the_compilers() {
    let sandbox = with(&[("app/src/bad.rs", BAD)]);
    let lint = |value: &str| sandbox.lint_with(&[("COMPOZY_METRIC_LABELS", value)], &["app"]);
    assert_eq!(lint("user").code, 0, "the environment alone");
    sandbox.write(".cargo/config.toml", "[env]\nCOMPOZY_METRIC_LABELS = \"queue\"\n");
    let run = lint("user");
    assert_eq!(run.code, 0, "the environment wins over a file without `force`: {}", run.stdout);
    assert!(
        run.stderr.contains("COMPOZY_METRIC_LABELS is the one of the environment, as for the compiler"),
        "{}",
        run.stderr
    );
    sandbox.labels("queue");
    assert_eq!(lint("user").code, 1, "`force` wins over the environment");
    let value = |table: &str| sandbox.write(".cargo/config.toml", format!("[env]\nCOMPOZY_METRIC_LABELS = {table}\n"));
    value("{ value = \"user\", relative = true }");
    let run = sandbox.lint(&["app"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("config.toml:2: COMPOZY_METRIC_LABELS is `relative`"), "{}", run.stderr);
    value("{ value = \"queue\", force = true }");
    sandbox.write("app/.cargo/config.toml", "[env]\nCOMPOZY_METRIC_LABELS = { value = \"user\" }\n");
    assert_eq!(lint("nothing").code, 0, "tables merge: the nearer value, and the `force` above it");
    let run = sandbox.lint_with(&[("COMPOZY_METRIC_LABELS", "a b"), ("CARGO_HOME", "/nowhere")], &["app/src"]);
    assert_eq!(run.code, 0);
    sandbox.write("app/.cargo/config.toml", "");
    sandbox.write(".cargo/config.toml", "");
    let run = sandbox.lint_with(&[("COMPOZY_METRIC_LABELS", "a b")], &["app"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("the environment: COMPOZY_METRIC_LABELS: `a b` is no label name"), "{}", run.stderr);
}

#[test]
fn the_namespace_is_the_compilers() {
    let source = |namespace: &str| {
        format!(
            "use metrics::{{counter, histogram}};\nfn f() {{\n    counter!(\"{namespace}_jobs\").increment(1);\n    \
             counter!(\"{namespace}_http_requests_total\", \"version\" => \"1\").increment(1);\n    \
             histogram!(\"{namespace}.x_seconds\").record(1.0);\n}}\n"
        )
    };
    let sandbox = with(&[("app/src/ours.rs", &source("acme_shop")), ("app/src/default.rs", &source("compozy"))]);
    let found = |variables: &[(&str, &str)], file: &str| {
        let run = sandbox.lint_with(variables, &[file]);
        assert!(run.code < 2, "{}", run.stderr);
        ["counter-suffix", "disallowed-label", "family-name"].map(|rule| run.stdout.contains(rule))
    };
    let (ours, default) = ("app/src/ours.rs", "app/src/default.rs");
    assert_eq!((found(&[], ours), found(&[], default)), ([false; 3], [true; 3]), "`compozy` when nothing is set");
    let set = [("COMPOZY_METRIC_NAMESPACE", "acme_shop")];
    assert_eq!((found(&set, ours), found(&set, default)), ([true; 3], [false; 3]), "the environment");
    sandbox.write(".cargo/config.toml", "[env]\nCOMPOZY_METRIC_NAMESPACE = { value = \"acme_shop\", force = true }\n");
    let other = [("COMPOZY_METRIC_NAMESPACE", "other")];
    assert_eq!((found(&other, ours), found(&other, default)), ([true; 3], [false; 3]), "the file, with `force`");
    let run = sandbox.lint(&[ours]);
    assert!(run.stdout.contains("a `acme_shop_*` name has") && !run.stdout.contains("compozy_"), "{}", run.stdout);
    for (bad, line) in [("acme-shop", 2), ("temporal", 2), ("", 2)] {
        sandbox.write(".cargo/config.toml", format!("[env]\nCOMPOZY_METRIC_NAMESPACE = \"{bad}\"\n"));
        let run = sandbox.lint(&[ours]);
        let said = format!("config.toml:{line}: COMPOZY_METRIC_NAMESPACE: `{bad}` is no namespace; accepted: words of");
        assert!(run.code == 2 && run.stderr.contains(&said), "{}", run.stderr);
    }
}

/// What a terminal takes for a command: an escape, a control sequence of one byte, a change of direction, a return.
const HARMFUL: &str = "\u{1b}[2J\u{9b}31m\u{202e}\u{7f}\r\u{85}\u{2066}";

#[test]
fn no_format_prints_a_control_character_of_a_name_or_a_source() {
    let inner: String = HARMFUL.replace('\r', "");
    let sandbox = Sandbox::new();
    let name = format!("src/a{HARMFUL}\n::error::b.rs");
    let source = format!(
        "fn f(name: u8) {{\n    metrics::counter!(\"x_total\", \"{}\" => \"{inner}\", \"user_id\" => 1, na{{'{inner}'}}me => 1);\n}}\n",
        HARMFUL.escape_unicode()
    );
    sandbox.write(&name, &source);
    sandbox.write("src/b.rs", source.replace("na{", "{").replace("}me", "}"));
    sandbox.write("src/c.rs", format!("fn {HARMFUL}"));
    let harmful =
        |text: &str| text.chars().find(|c| *c != '\n' && HARMFUL.contains(*c) && *c != '[' && !c.is_ascii_graphic());
    for format in ["human", "json", "rustc", "github", "sarif"] {
        let run = sandbox.lint(&["--format", format]);
        assert_eq!(run.code, 1, "{format}: {}", run.stderr);
        assert_eq!(harmful(&run.stdout), None, "{format}: {:?}", run.stdout);
        assert_eq!(harmful(&run.stderr), None, "{format}: {:?}", run.stderr);
        if format == "github" {
            assert!(
                run.stdout.lines().all(|line| line.starts_with("::error file=") || line.starts_with("::warning file="))
            );
        }
    }
    for arguments in [
        &["--explain", HARMFUL][..],
        &[HARMFUL],
        &["--format", HARMFUL],
        &["--level", HARMFUL],
        &["--since", HARMFUL],
        &["--baseline", HARMFUL],
    ] {
        let run = sandbox.lint(arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        assert_eq!(harmful(&run.stderr), None, "{arguments:?}: {:?}", run.stderr);
    }
    sandbox.lint(&["--baseline", "known", "--write-baseline"]);
    assert_eq!(harmful(&fs::read_to_string(sandbox.path("known")).unwrap()), None);
    assert_eq!(sandbox.lint(&["--baseline", "known"]).code, 0, "and is read again");
}

#[test]
fn editors_get_the_compilers_json() {
    let sandbox = with(&[("src/bad.rs", &format!("// ü\n{BAD}"))]);
    let run = sandbox.lint(&["--format", "rustc"]);
    let diagnostic: Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(diagnostic["$message_type"], "diagnostic");
    assert_eq!(diagnostic["level"], "error");
    assert_eq!(diagnostic["code"]["code"], "label-lint::disallowed-label");
    assert_eq!(diagnostic["children"][0]["level"], "help");
    assert!(diagnostic["rendered"].as_str().unwrap().starts_with("error[disallowed-label]"));
    let span = &diagnostic["spans"][0];
    assert_eq!(span["file_name"], "src/bad.rs");
    assert_eq!([&span["line_start"], &span["column_start"], &span["line_end"], &span["column_end"]], [3, 41, 3, 47]);
    let source = fs::read_to_string(sandbox.path("src/bad.rs")).unwrap();
    let byte = |key: &str| usize::try_from(span[key].as_u64().unwrap()).unwrap();
    assert_eq!(&source[byte("byte_start")..byte("byte_end")], "\"user\"");
    let text = &span["text"][0];
    let (start, end) = (text["highlight_start"].as_u64().unwrap(), text["highlight_end"].as_u64().unwrap());
    assert_eq!((start, end), (41, 47));
}

#[test]
fn a_member_alone_has_the_findings_that_it_has_in_the_workspace() {
    let sandbox = with(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\", \"shared\"]\n[workspace.dependencies]\nshared = { path = \"shared\" }\n",
        ),
        ("app/Cargo.toml", "[package]\nname = \"app\"\n[dependencies]\nshared.workspace = true\nmetrics = \"0.24\"\n"),
        ("shared/Cargo.toml", "[package]\nname = \"shared\"\n[dependencies]\nmetrics = \"0.24\"\n"),
        ("shared/src/lib.rs", "mod deep;\npub use deep::*;\n"),
        (
            "shared/src/deep.rs",
            "pub use metrics::counter as bump;\npub const L: &str = \"client\";\n#[macro_export]\nmacro_rules! count { ($($t:tt)*) => { $crate::bump!($($t)*) } }\n",
        ),
        ("app/src/main.rs", "mod a;\nfn main() {}\n"),
        (
            "app/src/a.rs",
            "use shared::*;\nfn f() {\n    bump!(\"x_total\", L => \"1\");\n    shared::count!(\"x_total\", \"shard\" => \"1\");\n}\n",
        ),
    ]);
    let root = sandbox.lint(&["--format", "json", "."]);
    assert_eq!(rules(&root), ["disallowed-label"; 2], "{}", root.stdout);
    let strip = |run: Run| run.stdout.replace("app/src", "src");
    let expected = root.stdout.replace("app/src", "src");
    assert_eq!(strip(sandbox.lint_in("app", &["--format", "json", "."])), expected);
    assert_eq!(
        strip(sandbox.lint_in("app/src", &["--format", "json", "a.rs"])).replace("\"a.rs", "\"src/a.rs"),
        expected
    );
    assert_eq!(strip(sandbox.lint(&["--format", "json", "app/src/a.rs"])), expected);
}
