//! Sets variables of the build that Cargo does not set: the compiler's version, for `build_info!`, and the namespace of the crate's own
//! names, which macros need as a literal.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    // `src/schema/labels.rs` reads it; this rebuilds the documentation as well.
    println!("cargo::rerun-if-env-changed=COMPOZY_METRIC_LABELS");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|out| String::from_utf8(out.stdout).ok())
        // `rustc 1.95.0 (59807616e 2026-04-14)`: the second word.
        .and_then(|text| text.split_whitespace().nth(1).map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=COMPOZY_MONITORING_RUSTC={version}");

    println!("cargo::rerun-if-env-changed=COMPOZY_METRIC_NAMESPACE");
    let namespace = env::var_os("COMPOZY_METRIC_NAMESPACE").unwrap_or_else(|| "compozy".into());
    // `src/schema/names.rs` checks it. Escaped, so that any value stays on this line.
    println!("cargo::rustc-env=COMPOZY_MONITORING_NAMESPACE={}", namespace.to_string_lossy().escape_default());
}
