//! The command line.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use lexopt::{Arg, Parser, ValueExt};

use crate::{
    lint::{self, Outcome},
    report::Format,
    rules::{Rule, Severity},
    source::DEFAULT_MAX_BYTES,
};

const HELP: &str = "\
Finds metric labels and family names that the label list of compozy-monitoring does not allow.

Usage: label-lint [OPTIONS] [PATH]...
       cargo label-lint [OPTIONS] [PATH]...

PATH is a file or a directory; without one, the current directory. `.gitignore` is respected.

Options:
      --deny-warnings    Warnings fail the run as well
      --format FORMAT    human (the default), json (one object a line), github, sarif
      --max-bytes N      Report larger files instead of checking them (default: 16777216)
      --explain RULE     Say what a rule is for, with examples; `--explain all` lists the rules
  -h, --help             Print this
  -V, --version          Print the version

Settings, from the files above PATH:
  .cargo/config.toml     [env] COMPOZY_METRIC_LABELS: the application's own labels
  Cargo.toml             [workspace.metadata.label-lint] exclude = [\"glob\", ..]

A finding that is right to stay: `// label-lint: allow(label) reason`, on its line or the one above.

Exit status: 0 clean, 1 findings, 2 could not run.
";

/// What the command line asks for.
enum Command {
    Lint(Options),
    Explain(String),
    Help,
    Version,
}

struct Options {
    paths: Vec<PathBuf>,
    format: Format,
    deny_warnings: bool,
    max_bytes: u64,
}

/// Runs the linter on the arguments of the process.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(arguments).and_then(run) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("label-lint: {message}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut parser = Parser::from_iter(arguments);
    let mut options =
        Options { paths: Vec::new(), format: Format::Human, deny_warnings: false, max_bytes: DEFAULT_MAX_BYTES };
    let text = |error: lexopt::Error| format!("{error}; `label-lint --help` shows the options");
    while let Some(argument) = parser.next().map_err(text)? {
        match argument {
            Arg::Long("deny-warnings") => options.deny_warnings = true,
            Arg::Long("format") => {
                let name = parser.value().and_then(|value| value.string()).map_err(text)?;
                options.format = Format::by_name(&name).ok_or_else(|| unknown_format(&name))?;
            }
            Arg::Long("max-bytes") => {
                options.max_bytes = parser.value().and_then(|value| value.parse()).map_err(text)?;
            }
            Arg::Long("explain") => {
                return Ok(Command::Explain(parser.value().and_then(|value| value.string()).map_err(text)?));
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Value(path) => options.paths.push(path.into()),
            Arg::Short(_) | Arg::Long(_) => return Err(text(argument.unexpected())),
        }
    }
    if options.paths.is_empty() {
        options.paths.push(PathBuf::from("."));
    }
    Ok(Command::Lint(options))
}

fn unknown_format(name: &str) -> String {
    let names: Vec<&str> = Format::ALL.iter().map(|(name, _)| *name).collect();
    format!("`{name}` is no format; accepted: {}", names.join(", "))
}

fn run(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Lint(options) => lint(&options),
        Command::Explain(name) => write(&explain(&name)?).map(|()| ExitCode::SUCCESS),
        Command::Help => write(HELP).map(|()| ExitCode::SUCCESS),
        Command::Version => write(concat!("label-lint ", env!("CARGO_PKG_VERSION"), "\n")).map(|()| ExitCode::SUCCESS),
    }
}

fn explain(name: &str) -> Result<String, String> {
    let line = |rule: &Rule| format!("{:<22} {:<8} {}\n", rule.name(), rule.severity().as_str(), rule.summary());
    if name == "all" {
        return Ok(Rule::ALL.iter().map(line).collect());
    }
    let rule = Rule::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        format!("`{name}` is no rule; accepted: all, {}", names.join(", "))
    })?;
    Ok(format!("{} ({})\n\n{}\n\n{}", rule.name(), rule.severity().as_str(), rule.summary(), rule.explanation()))
}

fn lint(options: &Options) -> Result<ExitCode, String> {
    let is_terminal = io::stderr().is_terminal();
    let progress = move |done: usize, total: usize| {
        if is_terminal && (done.is_multiple_of(256) || done == total) {
            let line =
                if done == total { "\r\u{1b}[K".to_owned() } else { format!("\rlabel-lint: {done} of {total} files") };
            let _ = io::stderr().write_all(line.as_bytes());
        }
    };
    let outcome = lint::run(&options.paths, options.max_bytes, &progress).map_err(|error| match error {
        lint::Error::Tree(error) => error.to_string(),
        lint::Error::Io(error) => error.to_string(),
    })?;
    let color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    write(&options.format.render(&outcome.findings, color))?;
    if options.format == Format::Human {
        eprintln!("label-lint: {}", summary(&outcome));
    }
    let fails = |finding: &crate::finding::Finding| options.deny_warnings || finding.rule.severity() == Severity::Error;
    Ok(if outcome.findings.iter().any(fails) { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn summary(outcome: &Outcome) -> String {
    let count = |severity| outcome.findings.iter().filter(|finding| finding.rule.severity() == severity).count();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let excluded = if outcome.excluded == 0 { String::new() } else { format!(", {} excluded", outcome.excluded) };
    format!(
        "{}, {} in {} ({}{excluded})",
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
        plural(outcome.files, "file"),
        plural(outcome.lines, "line")
    )
}

/// A pipe that was closed early is no fault: `label-lint | head`.
fn write(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("cannot write: {error}")),
        _ => Ok(()),
    }
}
