//! The first example of the README, as a reader copies it: the dependencies and the program into a new package, and nothing
//! else. It builds without a list of labels, runs, and shows what it says.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The first block of a language, and where it ends.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let begin = format!("```{language}\n");
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no block of {language}"));
    rest.split_once("```").expect("an end").0
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program; its address.
fn start(program: &Path, enabled: bool) -> (Running, String) {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(program);
    command.env("ADDRESS", &address).env_remove("MONITORING_ENABLED").env_remove("MONITORING_PATH");
    if enabled {
        command.env("MONITORING_ENABLED", "true");
    }
    let running = Running(command.stdin(Stdio::null()).spawn().expect("it starts"));
    let until = Instant::now() + Duration::from_secs(30);
    while ureq::get(format!("http://{address}/health")).call().is_err() {
        assert!(Instant::now() < until, "it does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    (running, address)
}

#[test]
fn the_first_example_of_the_readme_runs_as_copied() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let program = block(&readme, "rust,ignore");
    assert!(
        readme.find("```rust").is_some_and(|first| readme[first..].starts_with("```rust,ignore")),
        "another comes first"
    );
    assert!(!program.lines().any(|line| line.starts_with("# ")), "a line that only rustdoc hides");
    let before = &readme[..readme.find("```rust").expect("found above")];
    let dependencies = block(before, "toml");

    // Outside of the repository, whose `.cargo/config.toml` has a list of labels.
    let package = std::env::temp_dir().join(format!("compozy-monitoring-first-day-{}", std::process::id()));
    fs::create_dir_all(package.join("src")).expect("a folder");
    fs::write(package.join("src/main.rs"), program).expect("written");
    // The crate itself comes from here: this version need not be published. The versions of all others are the tested ones.
    let manifest = format!(
        "[package]\nname = \"first-day\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{dependencies}\n[patch.crates-io]\n\
         compozy-monitoring = {{ path = {root:?} }}\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).expect("written");
    let programs = crate::common::built_outside(&package);

    let get = |address: &str, path: &str| {
        let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
        let mut answer = agent.get(format!("http://{address}{path}")).call().expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    };
    let program = programs.join("first-day");
    let (_running, address) = start(&program, true);
    assert_eq!(get(&address, "/greet"), (200, "hello".to_owned()));
    let (status, text) = get(&address, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "# HELP compozy_greetings_sent_total Greetings sent",
        "compozy_greetings_sent_total 1",
        r#"compozy_http_requests_total{method="GET",path="/greet",status_code="200"} 1"#,
    ] {
        assert!(text.lines().any(|known| known == line), "no line {line} in\n{text}");
    }
    assert!(text.contains(r#",version="0.1.0"} 1"#) && !text.contains("/health"), "{text}");

    let (_running, address) = start(&program, false);
    assert_eq!(get(&address, "/greet").0, 200);
    assert_eq!(get(&address, "/metrics").0, 503);
}
