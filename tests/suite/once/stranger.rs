//! A library with labels of its own, in a workspace that knows nothing of them: no list, no variable, no `.cargo/config.toml`.
#![cfg(feature = "prometheus")]

use std::{fs, path::Path, process::Command};

const PROGRAM: &str = r#"
use compozy_monitoring::{Config, MonitoringService};
use courier::{Method, deliver_parcel};

compozy_monitoring::families! {
    /// Letters handed in
    counter HANDED_IN = "post_letters_handed_in_total" { counter: Counter { Front = "front", Side = "side" } };
}

fn main() {
    let service = MonitoringService::new(Config::default().enabled(true)).unwrap();
    service.register(courier::FAMILIES);
    HANDED_IN.with(Counter::Side).increment(1);
    deliver_parcel(Method::Pigeon, "12 High Street", 500).unwrap_err();
    print!("{}", service.render());
}
"#;

#[test]
fn a_librarys_own_closed_label_works_in_a_strangers_workspace_in_which_nothing_is_set() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Outside of the repository, whose `.cargo/config.toml` has a list.
    let workspace = std::env::temp_dir().join(format!("compozy-monitoring-stranger-{}", std::process::id()));
    fs::create_dir_all(workspace.join("post/src")).expect("a folder");
    fs::write(workspace.join("Cargo.toml"), "[workspace]\nmembers = [\"post\"]\nresolver = \"3\"\n").expect("written");
    let manifest = format!(
        "[package]\nname = \"post\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         compozy-monitoring = {{ path = {root:?}, features = [\"prometheus\"] }}\n\
         courier = {{ path = {:?}, features = [\"monitoring\"] }}\n",
        root.join("examples/library")
    );
    fs::write(workspace.join("post/Cargo.toml"), manifest).expect("written");
    fs::write(workspace.join("post/src/main.rs"), PROGRAM).expect("written");
    let programs = crate::common::built_outside(&workspace);

    let output = Command::new(programs.join("post")).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        r#"courier_letters_refused_total{refusal="no_address"} 0"#,
        r#"courier_letters_refused_total{refusal="too_heavy"} 1"#,
        r#"post_letters_handed_in_total{counter="front"} 0"#,
        r#"post_letters_handed_in_total{counter="side"} 1"#,
        "compozy_monitoring_rejected_labels_total 0",
    ] {
        assert!(text.lines().any(|known| known == line), "no line {line} in\n{text}");
    }
}
