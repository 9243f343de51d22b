//! The programs of the README and of the tutorial, as a reader copies them: each into a new package, with the dependencies that
//! stand before it and nothing else. They build without a list of labels and without a warning, run, and show what the page says.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::common::{built_outside, cargo_outside};

/// The address that the programs of the README have.
const ADDRESS: &str = "127.0.0.1:8080";

/// The blocks of a page, with their language.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("the page");
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).map(|(language, text)| (language.into(), text.into())).collect()
}

/// A new package outside of the repository, whose `.cargo/config.toml` has a list of labels.
fn package(name: &str, dependencies: &str, file: &str, source: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::temp_dir().join(format!("compozy-monitoring-first-day-{name}-{}", std::process::id()));
    fs::create_dir_all(folder.join("src")).expect("a folder");
    fs::write(folder.join("src").join(file), source).expect("written");
    // The crate itself comes from here: this version need not be published. The versions of all others are the tested ones.
    let manifest = format!(
        "[package]\nname = \"first-day-{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{dependencies}\n[patch.crates-io]\n\
         compozy-monitoring = {{ path = {root:?} }}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("written");
    folder
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &Path, address: &str, enabled: bool) -> Running {
    let mut command = Command::new(program);
    command.env_remove("MONITORING_ENABLED").env_remove("MONITORING_PATH");
    if enabled {
        command.env("MONITORING_ENABLED", "true");
    }
    let running = Running(command.stdin(Stdio::null()).spawn().expect("it starts"));
    let until = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "it does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    running
}

fn get(address: &str, path: &str) -> (u16, String) {
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    let mut answer = agent.get(format!("http://{address}{path}")).call().expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

#[test]
fn every_program_of_the_readme_builds_as_copied_and_shows_what_the_page_says() {
    let blocks = blocks("README.md");
    let shown: Vec<&str> = blocks
        .iter()
        .find(|(language, text)| language == "console" && text.contains("cargo run"))
        .map(|(_, text)| text.lines().filter(|line| line.contains("compozy_")).collect())
        .expect("a console");
    assert_eq!(shown.len(), 3, "{shown:?}");

    let (mut dependencies, mut programs, mut libraries) = ("", 0, 0);
    for (language, text) in &blocks {
        match language.as_str() {
            "toml" => dependencies = text,
            "rust" if text.contains("fn main") => {
                programs += 1;
                let name = format!("program-{programs}");
                built_outside(&package(&name, dependencies, "main.rs", text));
                // The same at another port, because this one may be taken.
                let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
                let address = format!("127.0.0.1:{port}");
                let moved = text.replace(ADDRESS, &address);
                assert_ne!(&moved, text);
                let folder = built_outside(&package(&name, dependencies, "main.rs", &moved));
                let program = folder.join(format!("first-day-{name}"));

                let running = start(&program, &address, true);
                assert_eq!(get(&address, "/greet"), (200, "hello".to_owned()));
                let (status, metrics) = get(&address, "/metrics");
                assert_eq!(status, 200);
                for line in &shown {
                    assert!(metrics.lines().any(|known| known == *line), "no line {line} in\n{metrics}");
                }
                drop(running);
                let _running = start(&program, &address, false);
                assert_eq!(get(&address, "/greet").0, 200);
                assert_eq!(get(&address, "/metrics").0, 503);
            }
            "rust" => {
                libraries += 1;
                let said = cargo_outside("test", &package("library", dependencies, "lib.rs", text));
                assert!(said.contains("1 passed"), "{said}");
            }
            language => assert!(!language.starts_with("rust"), "{language}: a block that is not tried"),
        }
    }
    assert_eq!((programs, libraries), (2, 1));
}

#[test]
fn the_metrics_and_the_test_of_the_tutorial_are_whole() {
    let readme = blocks("README.md");
    let (_, dependencies) = readme.iter().find(|(language, _)| language == "toml").expect("dependencies");
    let rust: Vec<String> = blocks("docs/tutorial.md")
        .into_iter()
        .filter(|(language, _)| language == "rust")
        .map(|(_, text)| text)
        .collect();
    assert_eq!(rust.len(), 3);
    let said = cargo_outside("test", &package("tutorial", dependencies, "lib.rs", &rust.join("\n")));
    assert!(said.contains("1 passed"), "{said}");
}
