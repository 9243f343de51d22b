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

fn compare(case: &Path) -> Option<String> {
    let name = case.file_stem().unwrap().to_str().unwrap();
    assert!(PREFIXES.iter().any(|prefix| name.starts_with(prefix)), "{name}: good_, warn_ or bad_");
    let sandbox = Sandbox::new();
    if case.is_dir() {
        sandbox.copy(case, ".");
    } else {
        sandbox.copy(case, case.file_name().unwrap().to_str().unwrap());
    }
    if !sandbox.path(".cargo").exists() {
        sandbox.labels("queue,task_type");
    }
    let Run { code, stdout, .. } = sandbox.lint(&["."]);
    let expected_code = i32::from(name.starts_with("bad_"));
    if code != expected_code || name.starts_with("warn_") == stdout.is_empty() && code == 0 {
        return Some(format!("{name}: exit status {code}, which the name contradicts:\n{stdout}"));
    }
    let file = case.with_extension("expected");
    let expected = fs::read_to_string(&file).unwrap_or_default();
    if stdout == expected {
        return None;
    }
    if env::var_os("UPDATE_EXPECT").is_some() {
        if stdout.is_empty() {
            fs::remove_file(file).unwrap()
        } else {
            fs::write(file, stdout).unwrap()
        }
        return None;
    }
    Some(format!("{name}: expected\n{expected}\nfound\n{stdout}"))
}
