//! Replays the committed corpus without an engine; promtool reads what the expositions render.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = folder(&format!("corpus/{name}"));
    assert!(files.len() >= 10, "{name}: {} files", files.len());
    if name == "linter" {
        // The sources of the linter's own tests, each as the one file of a tree; `scripts/fuzz` begins with them too.
        let sources = folder("../label-lint/tests/corpus").into_iter().filter(|(file, _)| file.ends_with(".rs"));
        let before = files.len();
        files.extend(sources.map(|(file, source)| (file, [&[1], source.as_slice()].concat())));
        assert!(files.len() >= before + 85, "{} sources", files.len() - before);
    }
    files
}

fn folder(path: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_file());
    let mut files: Vec<_> =
        paths.map(|path| (path.display().to_string(), fs::read(&path).expect("readable"))).collect();
    files.sort();
    files
}

fn replay(name: &str) {
    let (_, target) = fuzz::TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    for (file, data) in corpus(name) {
        // Before it, so that a panic is under it.
        eprintln!("{file}");
        target(&data);
    }
}

#[test]
fn configuration() {
    replay("configuration");
}

#[test]
fn project_file() {
    replay("project-file");
}

#[test]
fn sanitising() {
    replay("sanitising");
}

#[test]
fn exposition() {
    replay("exposition");
}

#[test]
fn formats() {
    replay("formats");
}

#[test]
fn negotiation() {
    replay("negotiation");
}

#[test]
fn linter() {
    replay("linter");
}

#[test]
fn promtool_reads_every_exposition_of_the_corpus() {
    for (file, data) in corpus("exposition") {
        let text = fuzz::expose(&data);
        let mut check = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool is on the PATH: scripts/test installs it");
        check.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads");
        let output = check.wait_with_output().expect("promtool ends");
        // 1 is a text that does not parse, 3 one that does and has remarks.
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{file}: {}: {said}", output.status);
    }
}

#[test]
fn the_corpus_is_small() {
    let size: usize = fuzz::TARGETS.iter().flat_map(|(name, _)| corpus(name)).map(|(_, data)| data.len()).sum();
    assert!(size < 200_000, "{size} bytes: minimise it (scripts/fuzz does)");
}
