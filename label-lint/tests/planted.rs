//! The command of CI, on a copy of this tree: clean as it is, red with a bad label planted in it.

mod common;

use std::{fs, path::Path};

use common::Sandbox;

/// The command of `scripts/test`, as words, on the workspace of this package but for the directory it is called in.
fn command_of_ci(root: &Path) -> Vec<String> {
    let script = fs::read_to_string(root.join("scripts/test")).unwrap();
    let line = script.lines().find(|line| line.starts_with("cargo run") && line.contains("label-lint"));
    let mut words: Vec<String> = line.expect("scripts/test runs label-lint").split(' ').map(str::to_owned).collect();
    words.insert(2, format!("--manifest-path={}", root.join("Cargo.toml").display()));
    words
}

#[test]
fn a_bad_label_in_this_tree_fails_the_build() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let command = command_of_ci(root);
    assert!(command.iter().any(|word| word == "--deny-warnings"), "{command:?}");
    let arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
    let sandbox = Sandbox::new();
    for part in ["Cargo.toml", "Cargo.lock", ".cargo", "src", "tests", "examples", "benches", "label-lint"] {
        sandbox.copy(&root.join(part), part);
    }
    let clean = sandbox.run(env!("CARGO"), &arguments);
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
        let run = sandbox.run(env!("CARGO"), &arguments);
        assert_eq!(run.code, 1, "{file}");
        assert!(run.stdout.contains(&format!("[{rule}]")) && run.stdout.contains(file), "{}", run.stdout);
        sandbox.write(file, before);
    }
}
