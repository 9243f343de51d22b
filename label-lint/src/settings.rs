//! The settings of a tree: `[workspace.metadata.label-lint]` of its root manifest, and the variables of its build.

mod manifest;
mod variables;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use globset::{GlobMatcher, GlobSet};
use toml::de::DeTable;

use crate::{
    finding::Finding,
    report::visible,
    rules::{Level, Rule},
};

/// Levels of rules that differ from their own.
#[derive(Clone, Debug, Default)]
pub struct Levels(Vec<(Rule, Level)>);

impl Levels {
    /// Sets the level of a rule; the last word counts.
    pub fn set(&mut self, rule: Rule, level: Level) {
        self.0.push((rule, level));
    }

    /// The level of a rule, if it is set.
    pub fn of(&self, rule: Rule) -> Option<Level> {
        self.0.iter().rev().find(|(set, _)| *set == rule).map(|(_, level)| *level)
    }
}

/// Settings for some paths only.
#[derive(Debug)]
struct Override {
    paths: Vec<GlobMatcher>,
    levels: Levels,
    /// Labels and rules that are allowed there.
    allow: Vec<String>,
}

/// The settings for one argument of the command line.
#[derive(Debug, Default)]
pub struct Settings {
    /// The argument.
    path: PathBuf,
    /// The directory of the root manifest.
    root: Option<PathBuf>,
    exclude: GlobSet,
    levels: Levels,
    overrides: Vec<Override>,
    pub baseline: Option<PathBuf>,
    /// The application's own labels.
    pub extension: String,
    /// The first words of the names that the rules hold for, if the tree says so.
    namespace: Option<String>,
    /// What a reader should know of both.
    pub notes: Vec<String>,
}

/// A file of settings that cannot be used.
#[derive(Debug)]
pub struct Error {
    file: PathBuf,
    line: usize,
    message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.to_string_lossy();
        if self.line == 0 {
            return write!(f, "{}: {}", visible(&file), visible(&self.message));
        }
        write!(f, "{}:{}: {}", visible(&file), self.line, visible(&self.message))
    }
}

impl Settings {
    /// The settings that hold for a file or directory, from the files above it.
    pub fn find(path: &Path) -> Result<Self, Error> {
        let start = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let mut settings = Self { path: path.to_owned(), ..Self::default() };
        settings.read_manifests(start)?;
        settings.read_variables(start)?;
        Ok(settings)
    }

    fn below<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(self.root.as_ref()?).ok()
    }

    /// Whether a file is excluded; the path is absolute.
    pub fn excludes(&self, path: &Path) -> bool {
        self.below(path).is_some_and(|below| self.exclude.is_match(below))
    }

    /// Whether a link is excluded that leads nowhere, or in a circle.
    pub fn excludes_link(&self, path: &Path) -> bool {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        parent.canonicalize().is_ok_and(|parent| self.excludes(&parent.join(name)))
    }

    /// Whether the argument is the path, or above it.
    pub fn holds_for(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }

    /// The level of a finding in a file.
    pub fn level(&self, finding: &Finding, path: Option<&Path>) -> Level {
        let mut level = self.levels.of(finding.rule).unwrap_or(finding.level);
        let Some(below) = path.and_then(|path| self.below(path)) else { return level };
        for one in self.overrides.iter().filter(|one| one.paths.iter().any(|glob| glob.is_match(below))) {
            level = one.levels.of(finding.rule).unwrap_or(level);
            let is_allowed = |name: &String| name == finding.rule.name() || finding.label.as_ref() == Some(name);
            if one.allow.iter().any(is_allowed) {
                level = Level::Off;
            }
        }
        level
    }
}

struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn read(path: PathBuf) -> Result<Option<Self>, Error> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { path, text })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error { file: path, line: 1, message: error.to_string() }),
        }
    }

    fn error(&self, offset: usize, message: impl Into<String>) -> Error {
        let line = self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|b| **b == b'\n').count() + 1;
        Error { file: self.path.clone(), line, message: message.into() }
    }

    fn parse(&self) -> Result<DeTable<'_>, Error> {
        let table = DeTable::parse(&self.text)
            .map_err(|error| self.error(error.span().map_or(0, |span| span.start), error.message()))?;
        Ok(table.into_inner())
    }
}

/// The table that a path of keys leads to.
fn table<'a, 'i>(mut table: &'a DeTable<'i>, keys: &[&str]) -> Option<&'a DeTable<'i>> {
    for key in keys {
        table = table.get(*key)?.get_ref().as_table()?;
    }
    Some(table)
}
