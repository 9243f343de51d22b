//! Other processes: the example, a Prometheus, and requests to both.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A process that ends with the test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A folder that is removed with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Builds the poem example, and says where it is.
pub fn example() -> PathBuf {
    built("server")
}

/// Builds an example with the features of this test, and says where it is.
pub fn built(example: &str) -> PathBuf {
    let mut features = vec!["prometheus"];
    for (feature, is_on) in [
        ("http-axum", cfg!(feature = "http-axum")),
        ("http-poem", cfg!(feature = "http-poem")),
        ("openapi", cfg!(feature = "openapi")),
        ("process", cfg!(feature = "process")),
        ("project-file", cfg!(feature = "project-file")),
        ("serve", cfg!(feature = "serve")),
        ("temporal", cfg!(feature = "temporal")),
        ("tokio-runtime", cfg!(feature = "tokio-runtime")),
        ("view", cfg!(feature = "view")),
    ] {
        if is_on {
            features.push(feature);
        }
    }
    cargo_build(&["--package", "compozy-monitoring", "--example", example, "--features", &features.join(",")]);
    target().join("examples").join(example)
}

/// Builds the program of a package of the workspace, and says where it is.
pub fn built_package(package: &str) -> PathBuf {
    cargo_build(&["--package", package]);
    target().join(package)
}

fn cargo_build(what: &[&str]) {
    let status = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet"])
        .args(what)
        // What `scripts/test` names beside each package that it builds.
        .args(std::env::var("ONE_BUILD").iter().flat_map(|packages| packages.split(' ')))
        // In the profile of the test itself, so that nothing is built twice.
        .args(if cfg!(debug_assertions) { &[][..] } else { &["--release"] })
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{what:?} does not build");
}

/// Where Cargo puts what it builds in this profile.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    test.ancestors().nth(2).expect("target/debug").to_path_buf()
}

/// Starts the poem example and waits until it answers.
pub fn serve(port: u16, variables: &[(&str, &str)]) -> Process {
    serve_built("server", port, variables)
}

/// The same for another example.
pub fn serve_built(example: &str, port: u16, variables: &[(&str, &str)]) -> Process {
    let mut command = Command::new(built(example));
    command
        .env("COMPOZY_ADDR", format!("127.0.0.1:{port}"))
        .env_remove("MONITORING_ENABLED")
        .env_remove("MONITORING_PATH")
        .env_remove("MONITORING_BEARER_TOKEN_FILE");
    let process =
        Process(command.envs(variables.iter().copied()).stderr(Stdio::null()).spawn().expect("the example starts"));
    until("the example answers", || get(port, "/health").map(|(status, _)| status == 200).unwrap_or(false));
    process
}

#[track_caller]
pub fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into()
}

pub fn get(port: u16, path: &str) -> Result<(u16, String), ureq::Error> {
    request("GET", port, path)
}

pub fn request(method: &str, port: u16, path: &str) -> Result<(u16, String), ureq::Error> {
    let request =
        ureq::http::Request::builder().method(method).uri(format!("http://127.0.0.1:{port}{path}")).body(())?;
    let mut response = agent().run(request)?;
    Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
}

pub fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// A Prometheus that scrapes these ports every second.
pub struct Prometheus {
    pub port: u16,
    _process: Process,
    _folder: Folder,
}

impl Prometheus {
    pub fn scraping(name: &str, targets: &[u16]) -> Self {
        let list: Vec<String> = targets.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        let scrape = format!("- job_name: compozy\n  static_configs: [{{targets: [{}]}}]\n", list.join(", "));
        Self::configured(name, &format!("scrape_configs:\n{scrape}"), &[])
    }

    /// With this configuration, which scrapes every second, and further arguments.
    pub fn configured(name: &str, text: &str, arguments: &[&str]) -> Self {
        Self::started("prometheus", name, text, arguments)
    }

    /// The same of another version.
    pub fn started(program: &str, name: &str, text: &str, arguments: &[&str]) -> Self {
        let folder = Folder::new(name);
        let config = folder.0.join("prometheus.yml");
        std::fs::write(&config, format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n{text}"))
            .expect("a configuration");
        let port = free_port();
        let log = std::fs::File::create(folder.0.join("log")).expect("a log");
        let process = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.0.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a real Prometheus is there: scripts/setup installs it");
        let this = Self { port, _process: Process(process), _folder: folder };
        until("Prometheus is ready", || get(port, "/-/ready").map(|(status, _)| status == 200).unwrap_or(false));
        this
    }

    pub fn api(&self, path: &str) -> Value {
        let (status, text) = get(self.port, path).expect("Prometheus answers");
        assert_eq!(status, 200, "{text}");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        json["data"].clone()
    }

    /// The value of a query that gives one number; `None` while it gives none.
    pub fn number(&self, query: &str) -> Option<f64> {
        self.first(&format!("/api/v1/query?query={}", percent(query)))
    }

    /// The same at a time, in seconds since 1970.
    pub fn number_at(&self, query: &str, time: f64) -> Option<f64> {
        self.first(&format!("/api/v1/query?query={}&time={time}", percent(query)))
    }

    fn first(&self, path: &str) -> Option<f64> {
        let data = self.api(path);
        data["result"][0]["value"][1].as_str().and_then(|text| text.parse().ok())
    }
}
