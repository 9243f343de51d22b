//! The page for people in a real Chromium, at two widths, in light and dark; `axe` looks at names and contrast. The pictures are in
//! `target/view`.
//!
//! Needs `chromium`, Node and two of its packages: `scripts/setup` installs them.
#![cfg(all(feature = "prometheus", feature = "http-poem", feature = "view"))]

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::common::processes::{free_port, get, serve};

#[test]
fn people_can_read_the_page_of_the_example_on_a_phone_and_in_the_dark() {
    let port = free_port();
    let _server = serve(port, &[("MONITORING_ENABLED", "true")]);
    for _ in 0..20 {
        assert_eq!(get(port, "/api/v1/users/7").expect("an answer").0, 200);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pictures = root.join("target/view");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let output = Command::new("node")
        .arg(root.join("tests/fixtures/view/look.mjs"))
        .arg(root.join("target/tools/node"))
        .arg(format!("http://127.0.0.1:{port}/"))
        .arg(&pictures)
        .output()
        .expect("node: scripts/setup installs it");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let looks: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(looks.len(), 4, "{said}");
    for look in &looks {
        assert_eq!(look["status"], 200, "{look}");
        assert_eq!(look["violations"], json!([]), "{look}");
        assert_eq!(look["refused"], json!([]), "{look}");
        assert_eq!(look["tooWide"], false, "{look}");
        assert!(look["pictures"].as_u64().is_some_and(|pictures| pictures > 0), "{look}");
        // The style is there: its hash in the policy is right.
        let paper = if look["scheme"] == "dark" { "rgb(22, 22, 26)" } else { "rgb(255, 255, 255)" };
        assert_eq!(look["background"], paper, "{look}");
    }
}
