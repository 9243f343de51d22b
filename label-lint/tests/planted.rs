//! The command of CI, on a copy of this tree: clean as it is, red with a bad label planted in it.

mod common;

use std::{fs, path::Path};

use common::Sandbox;

/// The arguments with which `scripts/test` calls the linter.
fn arguments_of_ci(root: &Path) -> Vec<String> {
    let script = fs::read_to_string(root.join("scripts/test")).unwrap();
    let arguments = script.lines().find_map(|line| line.split_once("/debug/label-lint\" ")).map(|(_, rest)| rest);
    arguments.expect("scripts/test runs label-lint").split(' ').map(str::to_owned).collect()
}

#[test]
fn a_bad_label_in_this_tree_fails_the_build() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let arguments = arguments_of_ci(root);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(arguments.contains(&"--deny-warnings"), "{arguments:?}");
    let sandbox = Sandbox::new();
    for part in ["Cargo.toml", "Cargo.lock", ".cargo", "src", "tests", "examples", "benches", "label-lint"] {
        sandbox.copy(&root.join(part), part);
    }
    let clean = sandbox.lint(&arguments);
    assert_eq!(clean.code, 0, "{}{}", clean.stdout, clean.stderr);

    for (file, planted, rule) in [
        (
            "src/builtin/catalogue.rs",
            "metrics::counter!(\"compozy_x_total\", \"user_id\" => \"7\")",
            "disallowed-label",
        ),
        ("src/http/poem/middleware.rs", "metrics::Label::new(\"request_id\", \"7\")", "disallowed-label"),
        ("examples/server.rs", "compozy_monitoring::gauge!(\"compozy_x\", \"queue\" => user_id)", "suspicious-value"),
    ] {
        let before = fs::read_to_string(sandbox.path(file)).unwrap();
        sandbox.write(file, format!("{before}\nfn planted() {{ {planted}; }}\n"));
        let run = sandbox.lint(&arguments);
        assert_eq!(run.code, 1, "{file}");
        assert!(run.stdout.contains(&format!("[{rule}]")) && run.stdout.contains(file), "{}", run.stdout);
        sandbox.write(file, before);
    }
}
