//! The command line.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use lexopt::{Arg, Parser, ValueExt};

use crate::{
    lint::{self, Outcome, Request},
    report::{Format, visible},
    rules::{Level, Rule},
};

const HELP: &str = "\
Finds metric labels and family names that the label list of compozy-monitoring does not allow.

Usage: label-lint [OPTIONS] [PATH]...
       cargo label-lint [OPTIONS] [PATH]...

PATH is a file or a directory; without one, the current directory. `.gitignore` is respected.

Options:
      --deny-warnings    Warnings fail the run as well
      --level RULE=LEVEL off, note, warning or error; over the settings, and more than once
      --baseline FILE    Tell only what is not in FILE
      --write-baseline   Write what is found to that file instead
      --since REVISION   Tell only what is on lines that differ from the revision of git
      --format FORMAT    human (the default), json (one object a line), rustc (for editors), github, sarif
      --max-bytes N      Report larger files instead of checking them (default: 16777216)
      --explain RULE     Say what a rule is for, with examples; `--explain all` lists the rules
  -h, --help             Print this
  -V, --version          Print the version

Settings, from the files above PATH:
  .cargo/config.toml     [env] COMPOZY_METRIC_LABELS: the application's own labels
                         [env] COMPOZY_METRIC_NAMESPACE: the first word of its names, compozy if it is not set
  Cargo.toml             [workspace.metadata.label-lint] exclude, levels, overrides, baseline

A finding that is right to stay: `// label-lint: allow(label) reason`, behind its statement or above; for a whole
file `// label-lint: allow-file(label) reason`.

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
    request: Request,
    format: Format,
    deny_warnings: bool,
}

/// Runs the linter on the arguments of the process.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(arguments).and_then(run) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("label-lint: {}", visible(&message));
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut parser = Parser::from_iter(arguments);
    let mut options = Options { request: Request::new(Vec::new()), format: Format::Human, deny_warnings: false };
    let text = |error: lexopt::Error| format!("{error}; `label-lint --help` shows the options");
    while let Some(argument) = parser.next().map_err(text)? {
        match argument {
            Arg::Long("deny-warnings") => options.deny_warnings = true,
            Arg::Long("format") => {
                let name = parser.value().and_then(|value| value.string()).map_err(text)?;
                options.format = Format::by_name(&name).ok_or_else(|| unknown_format(&name))?;
            }
            Arg::Long("max-bytes") => {
                options.request.max_bytes = parser.value().and_then(|value| value.parse()).map_err(text)?;
            }
            Arg::Long("level") => {
                let word = parser.value().and_then(|value| value.string()).map_err(text)?;
                let (rule, level) = word.split_once('=').ok_or("`--level` takes RULE=LEVEL".to_owned())?;
                options.request.levels.set(Rule::by_name(rule)?, Level::by_name(level)?);
            }
            Arg::Long("baseline") => options.request.baseline = Some(parser.value().map_err(text)?.into()),
            Arg::Long("write-baseline") => options.request.write_baseline = true,
            Arg::Long("since") => {
                options.request.since = Some(parser.value().and_then(|value| value.string()).map_err(text)?);
            }
            Arg::Long("explain") => {
                return Ok(Command::Explain(parser.value().and_then(|value| value.string()).map_err(text)?));
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Value(path) => options.request.paths.push(path.into()),
            Arg::Short(_) | Arg::Long(_) => return Err(text(argument.unexpected())),
        }
    }
    if options.request.paths.is_empty() {
        options.request.paths.push(PathBuf::from("."));
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
    let line = |rule: &Rule| format!("{:<22} {:<8} {}\n", rule.name(), rule.level().as_str(), rule.summary());
    if name == "all" {
        return Ok(Rule::ALL.iter().map(line).collect());
    }
    let rule = Rule::by_name(name).map_err(|_| format!("`{name}` is no rule; accepted: all, {}", Rule::names()))?;
    Ok(format!("{} ({})\n\n{}\n\n{}", rule.name(), rule.level().as_str(), rule.summary(), rule.explanation()))
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
    let outcome = lint::run(&options.request, &progress).map_err(|error| error.to_string())?;
    let color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    write(&options.format.render(&outcome.findings, color))?;
    if options.format == Format::Human {
        for note in &outcome.notes {
            eprintln!("label-lint: {}", visible(note));
        }
        eprintln!("label-lint: {}", summary(&outcome));
    }
    let worst = if options.deny_warnings { Level::Warning } else { Level::Error };
    let fails = |finding: &crate::finding::Finding| finding.level >= worst;
    Ok(if outcome.findings.iter().any(fails) { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What was found, what was looked at, and what was not.
fn summary(outcome: &Outcome) -> String {
    let count = |level| outcome.findings.iter().filter(|finding| finding.level == level).count();
    let mut found = vec![plural(count(Level::Error), "error"), plural(count(Level::Warning), "warning")];
    found.extend(some(count(Level::Note), "note"));
    let mut skipped = Vec::new();
    skipped.extend(some(outcome.excluded, "file").map(|files| format!("{files} excluded by the settings")));
    skipped.extend(some(outcome.known, "finding").map(|all| format!("{all} in the baseline")));
    skipped.extend(some(outcome.unchanged, "finding").map(|all| format!("{all} on lines that did not change")));
    skipped.extend(outcome.not_looked_at.iter().map(|what| format!("the labels of {what}")));
    let skipped = if skipped.is_empty() { String::new() } else { format!("; skipped: {}", skipped.join(", ")) };
    let gone = match outcome.gone {
        0 => String::new(),
        gone => format!("; no longer found, to be removed from the baseline: {gone}"),
    };
    format!(
        "{} in {} ({}); looked at: {}, {}{skipped}{gone}",
        found.join(", "),
        plural(outcome.files, "file"),
        plural(outcome.lines, "line"),
        plural(outcome.metrics, "metric"),
        plural(outcome.labels, "label"),
    )
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn some(count: usize, word: &str) -> Option<String> {
    (count > 0).then(|| plural(count, word))
}

/// Writes to the standard output. A pipe that is closed early is no error: `label-lint | head`.
fn write(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("cannot write: {error}")),
        _ => Ok(()),
    }
}
