//! Hands the compiler's version to `build_info!`, which no Cargo variable carries.

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
}
