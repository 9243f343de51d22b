//! Sets `cfg(models)`, and what the crate's own build script sets.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=models");
    println!("cargo::rustc-env=COMPOZY_MONITORING_RUSTC=unknown");
    println!("cargo::rustc-env=COMPOZY_MONITORING_NAMESPACE=compozy");
}
