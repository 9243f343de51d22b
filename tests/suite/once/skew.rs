//! A binary that links two versions of `metrics`: what goes to the old one reaches nobody, and nothing says so at run
//! time. `docs/version-skew.md` tells users how to see it; `label-lint/tests/cli.rs` has the linter see it.
#![cfg(feature = "prometheus")]

use crate::common;

use std::path::Path;

use common::{figure, samples, sum};

#[test]
fn what_is_recorded_with_another_version_of_metrics_reaches_nobody() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/two-metrics");
    let test = std::env::current_exe().expect("the test's own path");
    let cargo = |arguments: &[&str]| {
        crate::common::cargo_command().current_dir(&folder).args(arguments).output().expect("cargo runs")
    };
    // Built beside the test, so that what is there is not built again.
    let target = test.ancestors().nth(3).expect("target").to_str().expect("UTF-8");
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let run = cargo(&["run", "--quiet", "--profile", profile, "--target-dir", target]);
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));

    for (name, expected) in [("skew_current_total", 3.0), ("skew_ours_total", 7.0), ("skew_scoped_current_total", 1.0)]
    {
        assert_eq!(sum(&text, name), expected, "{name}");
    }
    // If this ever goes red, the versions share a recorder: good news, and `docs/version-skew.md` is wrong.
    let old: Vec<String> = samples(&text).into_keys().filter(|name| name.contains("old")).collect();
    assert!(old.is_empty(), "{old:?}");
    assert_eq!(sum(&text, "compozy_monitoring_errors_total"), 0.0);

    // What the page tells users to ask.
    let tree = cargo(&["tree", "--duplicates", "--invert", "metrics"]);
    let said = String::from_utf8_lossy(&tree.stderr);
    assert!(said.contains("metrics@0.23") && said.contains("metrics@0.24"), "{said}");
    let tree = cargo(&["tree", "--invert", "metrics@0.23.1", "--depth", "1"]);
    assert!(String::from_utf8_lossy(&tree.stdout).contains("two-metrics"));
    figure("versions of metrics in one binary", 2);
    figure("samples of the old one that can be scraped, of 6 sent", 0);
}
