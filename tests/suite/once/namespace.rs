//! Another namespace than `compozy`, set for a build as an application sets it: the crate's own families, the rules for names, and
//! what is no namespace.
#![cfg(feature = "prometheus")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::common::{cargo_incremental, promtool, samples};

const PROGRAM: &str = r#"
use compozy_monitoring::{Config, MonitoringService, build_info, labels, metrics};

compozy_monitoring::families! {
    /// Jobs done
    counter JOBS = "acme_shop_jobs_total";
    /// Nobody's namespace
    counter STRANGE = "compozy_jobs";
}

fn main() {
    let service = MonitoringService::new(Config::default().enabled(true)).unwrap();
    build_info!(service);
    JOBS.increment(2);
    STRANGE.increment(1);
    // The recorder holds it to the rules, and the other one not.
    metrics::counter!("acme_shop_foreign_total", "user_id" => "u").increment(1);
    metrics::counter!("compozy_foreign_total", "kind" => "k").increment(1);
    metrics::counter!("acme_shop_http_requests_total", "method" => "GET", "path" => "/x", "status_code" => "200", "version" => "1").increment(1);
    assert!(labels::is_ours("acme_shop_x") && !labels::is_ours("compozy_x"));
    print!("{}", service.render());
}
"#;

/// A workspace outside of the repository, whose own `.cargo/config.toml` has a list.
struct Workspace(PathBuf);

impl Workspace {
    fn new(name: &str, program: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("compozy-monitoring-{name}-{}", std::process::id()));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(folder.join("shop/src")).expect("a folder");
        fs::create_dir_all(folder.join(".cargo")).expect("a folder");
        let manifest = format!(
            "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             compozy-monitoring = {{ path = {root:?}, features = [\"prometheus\", \"http-tower\", \"serve\"] }}\n"
        );
        fs::write(folder.join("Cargo.toml"), "[workspace]\nmembers = [\"shop\"]\nresolver = \"3\"\n").expect("written");
        fs::write(folder.join("shop/Cargo.toml"), manifest).expect("written");
        fs::write(folder.join("shop/src/main.rs"), program).expect("written");
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("copied");
        Self(folder)
    }

    fn namespace(&self, value: &str) {
        let text = format!("[env]\nCOMPOZY_METRIC_NAMESPACE = {{ value = {value:?}, force = true }}\n");
        fs::write(self.0.join(".cargo/config.toml"), text).expect("written");
    }

    fn build(&self) -> Output {
        cargo_incremental()
            .current_dir(&self.0)
            .env_remove("COMPOZY_METRIC_LABELS")
            .env_remove("COMPOZY_METRIC_NAMESPACE")
            .args(["build", "--quiet", "--config", "profile.dev.debug=false", "--target-dir"])
            .arg(target())
            .output()
            .expect("cargo runs")
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("namespace")
}

#[test]
fn a_build_with_another_namespace_has_it_in_its_own_families_and_in_the_rules() {
    let workspace = Workspace::new("namespace", PROGRAM);
    workspace.namespace("acme_shop");
    let built = workspace.build();
    assert!(built.status.success() && built.stderr.is_empty(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = Command::new(target().join("debug/shop")).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(promtool(&text.replace("compozy_jobs", "compozy_jobs_total")), "");
    for line in [
        "acme_shop_jobs_total 2",
        "acme_shop_http_requests_in_flight 0",
        "acme_shop_monitoring_rejected_labels_total 2",
        "acme_shop_monitoring_health 1",
        "acme_shop_foreign_total 1",
        r#"acme_shop_http_requests_total{method="GET",path="/x",status_code="200"} 1"#,
        "compozy_jobs 1",
        r#"compozy_foreign_total{kind="k"} 1"#,
        "# HELP acme_shop_uptime_seconds_total Service uptime",
        "# TYPE acme_shop_build_info gauge",
    ] {
        assert!(text.lines().any(|known| known == line), "no line {line} in\n{text}");
    }
    // Those of the program, and no other.
    let strange: Vec<String> = samples(&text).into_keys().filter(|series| !series.starts_with("acme_shop_")).collect();
    assert_eq!(strange, ["compozy_foreign_total{kind=\"k\"}", "compozy_jobs"]);

    // Nothing set: as ever. What Cargo has built for another namespace is built again.
    fs::write(workspace.0.join(".cargo/config.toml"), "").expect("written");
    let program = "fn main() { print!(\"{}\", compozy_monitoring::MonitoringService::for_test().render()); }";
    fs::write(workspace.0.join("shop/src/main.rs"), program).expect("written");
    assert!(workspace.build().status.success());
    let output = Command::new(target().join("debug/shop")).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(samples(&text).keys().all(|series| series.starts_with("compozy_")), "{text}");
    assert!(text.contains("\ncompozy_monitoring_health 1\n"), "{text}");
}

#[test]
fn the_compiler_holds_the_names_of_the_namespace_to_the_rules_and_refuses_what_is_none() {
    let program = r#"
compozy_monitoring::families! {
    /// No suffix
    counter JOBS = "acme_jobs";
    /// A label of another category
    counter REQUESTS = "acme_http_refused_total" { version: str };
    /// Dotted
    gauge DEPTH = "acme.depth";
    /// Fine
    counter OTHERS = "compozy_jobs";
}
fn main() {}
"#;
    let workspace = Workspace::new("namespace-bad", program);
    workspace.namespace("acme");
    let said = String::from_utf8_lossy(&workspace.build().stderr).into_owned();
    for part in [
        "the counter `acme_jobs`: the name of a counter ends in `_total`",
        "the label `version` of `acme_http_refused_total` is not allowed",
        "because compozy-monitoring defines `acme_http_*`",
        "the gauge `acme.depth`: a `acme_*` name has lower-case letters",
        "such as `acme_tasks_total`",
    ] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    assert!(!said.contains("compozy_jobs") && !said.contains("compozy_*"), "{said}");

    for (bad, shown) in [
        ("acme-shop", "acme-shop"),
        ("", ""),
        ("Acme", "Acme"),
        ("temporal", "temporal"),
        ("a\ncargo::rustc-cfg=x", "a\\ncargo::rustc-cfg=x"),
        ("gr\u{f6}\u{df}e", "gr\\u{f6}\\u{df}e"),
    ] {
        workspace.namespace(bad);
        let output = workspace.build();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{bad:?}");
        let first = format!("COMPOZY_METRIC_NAMESPACE: `{shown}` is no namespace");
        assert!(said.contains(&first) && said.contains("accepted: words of lower-case letters"), "{bad:?}: {said}");
    }
}
