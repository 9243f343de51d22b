//! The first price: with the features off, an instrumented function is the machine code of a bare one.
//!
//! Builds `tests/fixtures/noop-probe` without any feature, then with `http-tower` for the layer and without `prometheus`, optimised, and
//! compares what the compiler emitted.

use std::{fs, path::Path};

/// The instructions of one function, or the name of the one that the compiler merged it with.
fn body(assembly: &str, name: &str) -> Vec<String> {
    // `name = target`: the compiler found the two to be one.
    let alias =
        assembly.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(" = ").map(str::to_owned));
    if let Some(target) = alias {
        return body(assembly, &target);
    }
    let start = format!("{name}:");
    let lines: Vec<String> = assembly
        .lines()
        .skip_while(|line| *line != start)
        .skip(1)
        .take_while(|line| !line.starts_with(".Lfunc_end"))
        .map(str::trim)
        .filter(|line| !line.starts_with('#') && !line.starts_with(".cfi") && !line.starts_with(".p2align"))
        .map(str::to_owned)
        .collect();
    assert!(!lines.is_empty(), "{name} is not in the assembly");
    renumbered(&lines)
}

/// Local labels numbered from the start of the function: `.LBB2_3` in one is `.LBB0_3` in another.
fn renumbered(lines: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rename = |word: &str| {
        let position = names.iter().position(|known| known == word).unwrap_or_else(|| {
            names.push(word.to_owned());
            names.len() - 1
        });
        format!(".L{position}")
    };
    lines
        .iter()
        .map(|line| {
            let Some(at) = line.find(".LBB") else { return line.clone() };
            let end = line[at..]
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
                .unwrap_or(line.len() - at);
            format!("{}{}{}", &line[..at], rename(&line[at..at + end]), &line[at + end..])
        })
        .collect()
}

/// What the compiler makes of the probe with these features.
fn assembly(features: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("price-off");
    let output = target.join(format!("probe{features}.s"));
    let status = crate::common::cargo_command()
        .current_dir(root)
        .args(["rustc", "--quiet", "--release", "--package", "noop-probe", "--lib"])
        .args(["--features", features, "--target-dir"])
        .arg(&target)
        .args(["--", "-C", "codegen-units=1", "-C", "debuginfo=0", "--emit"])
        .arg(format!("asm={}", output.display()))
        .env_remove("RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the probe does not build");
    fs::read_to_string(&output).expect("the compiler wrote the assembly")
}

#[test]
fn an_instrumented_function_is_the_code_of_a_bare_one() {
    let assembly = assembly("");
    let bare = body(&assembly, "probe_bare");
    assert!(bare.len() > 5, "a loop is more than this: {bare:?}");
    assert_eq!(body(&assembly, "probe_instrumented"), bare);
    assert_ne!(body(&assembly, "probe_control"), bare, "the comparison sees a single addition");
}

#[test]
fn a_service_in_the_layer_is_the_code_of_a_bare_one() {
    let assembly = assembly("tower");
    let bare = body(&assembly, "probe_service");
    assert!(bare.len() > 5, "a request that is taken apart is more than this: {bare:?}");
    assert_eq!(body(&assembly, "probe_layered_service"), bare);
    assert_ne!(body(&assembly, "probe_service_control"), bare, "the comparison sees one look at the request");
}
