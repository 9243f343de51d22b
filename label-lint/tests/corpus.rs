//! Every source in `corpus/` has the findings in the `.expected` file beside it, and no others.
//!
//! `UPDATE_EXPECT=1` writes what is found instead; read the difference before you commit it.

mod common;

use std::{env, fs, path::Path};

use common::{Run, Sandbox};

/// What a case is called, and what it brings along.
const PREFIXES: &[&str] = &["good_", "warn_", "bad_"];

#[test]
fn every_case_has_the_findings_that_are_expected() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut cases: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_none_or(|extension| extension != "expected"));
    cases.sort();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| compare(case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a case stands when it is run: alone, as a package, and as a member of a workspace, called above it and in it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Alone,
    Package,
    AboveMember,
    InMember,
}

/// What the packages of single files name.
const DEPENDENCIES: &[&str] = &[
    "metrics",
    "compozy-monitoring",
    "egui",
    "iced",
    "metrics-derive",
    "metrics-exporter-prometheus",
    "my",
    "my_prelude",
    "opentelemetry",
    "prometheus",
    "prometheus-client",
    "serde_json",
    "shared",
    "some",
    "temporalio-common",
    "tokio",
];

fn manifest(file: &str) -> String {
    let dependencies: Vec<String> = DEPENDENCIES.iter().map(|name| format!("{name} = \"*\"\n")).collect();
    format!(
        "[package]\nname = \"case\"\nedition = \"2024\"\n[lib]\npath = \"{file}\"\n[dependencies]\n{}",
        dependencies.concat()
    )
}

fn run(case: &Path, way: Way) -> Run {
    let sandbox = Sandbox::new();
    let name = case.file_name().unwrap().to_str().unwrap();
    let member = if matches!(way, Way::AboveMember | Way::InMember) { "member" } else { "." };
    fs::create_dir_all(sandbox.path(member)).unwrap();
    if case.is_dir() {
        sandbox.copy(case, member);
    } else {
        sandbox.copy(case, &format!("{member}/{name}"));
        if way != Way::Alone {
            sandbox.write(&format!("{member}/Cargo.toml"), manifest(name));
        }
    }
    if member == "member" {
        sandbox.write("Cargo.toml", "[workspace]\nmembers = [\"member\"]\n");
    }
    if !sandbox.path(member).join(".cargo").exists() {
        sandbox.labels("queue,task_type");
    }
    let mut run = match way {
        Way::InMember => sandbox.lint_in(member, &["."]),
        _ => sandbox.lint(&["."]),
    };
    run.stdout = run.stdout.replace("--> member/", "--> ").replace("declared at member/", "declared at ");
    run
}

fn compare(case: &Path) -> Option<String> {
    let name = case.file_stem().unwrap().to_str().unwrap();
    assert!(PREFIXES.iter().any(|prefix| name.starts_with(prefix)), "{name}: good_, warn_ or bad_");
    let file = case.with_extension("expected");
    let mut wrong = String::new();
    // The packages of the corpus have manifests and cannot do without; settings of their own are found from above.
    let has_settings = case.join(".cargo").exists();
    for way in [Way::Alone, Way::Package, Way::AboveMember, Way::InMember] {
        if case.is_dir() && (way == Way::Alone || has_settings && way == Way::AboveMember) {
            continue;
        }
        let Run { code, stdout, stderr } = run(case, way);
        let expected_code = i32::from(name.starts_with("bad_"));
        if code != expected_code || name.starts_with("warn_") == stdout.is_empty() && code == 0 {
            wrong += &format!("{name}, {way:?}: exit status {code}, which the name contradicts:\n{stdout}{stderr}\n");
            continue;
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if stdout == expected {
            continue;
        }
        if env::var_os("UPDATE_EXPECT").is_some() && matches!(way, Way::Alone | Way::Package) {
            if stdout.is_empty() {
                fs::remove_file(&file).unwrap()
            } else {
                fs::write(&file, stdout).unwrap()
            }
            continue;
        }
        wrong += &format!("{name}, {way:?}: expected\n{expected}\nfound\n{stdout}\n");
    }
    (!wrong.is_empty()).then_some(wrong)
}
