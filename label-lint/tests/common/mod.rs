//! A directory to lint in, and the linter as a process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A directory of its own, gone after the test.
pub struct Sandbox {
    directory: TempDir,
}

/// What a run of the linter did.
#[allow(dead_code, reason = "not every test looks at everything")]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

#[allow(dead_code, reason = "not every test needs everything")]
impl Sandbox {
    pub fn new() -> Self {
        Self { directory: TempDir::with_prefix("label-lint-").unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The application's own labels.
    pub fn labels(&self, list: &str) {
        let entry = format!("[env]\nCOMPOZY_METRIC_LABELS = {{ value = \"{list}\", force = true }}\n");
        self.write(".cargo/config.toml", entry);
    }

    pub fn copy(&self, from: &Path, to: &str) {
        copy(from, &self.path(to));
    }

    /// Runs `label-lint` in the directory.
    pub fn lint(&self, arguments: &[&str]) -> Run {
        self.run(env!("CARGO_BIN_EXE_label-lint"), arguments)
    }

    /// Runs `label-lint` in a directory below.
    pub fn lint_in(&self, directory: &str, arguments: &[&str]) -> Run {
        self.run_in(directory, env!("CARGO_BIN_EXE_label-lint"), arguments)
    }

    /// Runs `label-lint` with variables in its environment.
    pub fn lint_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
        self.run_with(".", variables, env!("CARGO_BIN_EXE_label-lint"), arguments)
    }

    pub fn run(&self, program: &str, arguments: &[&str]) -> Run {
        self.run_in(".", program, arguments)
    }

    fn run_in(&self, directory: &str, program: &str, arguments: &[&str]) -> Run {
        self.run_with(directory, &[], program, arguments)
    }

    fn run_with(&self, directory: &str, variables: &[(&str, &str)], program: &str, arguments: &[&str]) -> Run {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.path(directory))
            .env_remove("NO_COLOR")
            .env_remove("COMPOZY_METRIC_LABELS")
            .env_remove("CLICOLOR_FORCE")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Run {
            code: output.status.code().expect("an exit status"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
