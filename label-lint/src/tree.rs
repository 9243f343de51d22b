//! Which files a run looks at, and to which package each belongs.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ignore::WalkBuilder;

use crate::{
    finding::Finding,
    manifest::Package,
    names::Wanted,
    report::visible,
    rules::Rule,
    settings::{self, Settings},
    source,
};

/// Why a run cannot start.
#[derive(Debug)]
pub enum Error {
    NoSuchPath(PathBuf, std::io::Error),
    /// No source is below the path, and none was excluded.
    Nothing(PathBuf),
    Settings(settings::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPath(path, error) => write!(f, "{}: {error}", visible(&path.to_string_lossy())),
            Self::Nothing(path) => {
                let path = path.to_string_lossy();
                write!(f, "{}: there is no Rust source to look at below this path", visible(&path))
            }
            Self::Settings(error) => error.fmt(f),
        }
    }
}

/// One file.
pub struct File {
    /// The path without links.
    pub path: PathBuf,
    /// The path as it was reached from the argument.
    pub display: Arc<str>,
    /// The settings that hold for it, by number.
    pub settings: usize,
    /// Whether it is checked, or only read for the names that others use.
    pub is_target: bool,
    pub package: Option<Arc<Package>>,
    /// Whether it is part of the files that include it.
    pub is_fragment: bool,
}

/// Everything a run looks at.
#[derive(Default)]
pub struct Tree {
    pub files: Vec<File>,
    pub locks: Vec<(PathBuf, Arc<str>)>,
    pub settings: Vec<Settings>,
    pub findings: Vec<Finding>,
    pub excluded: usize,
    seen: HashSet<PathBuf>,
    seen_locks: HashSet<PathBuf>,
    packages: HashMap<PathBuf, Option<Arc<Package>>>,
}

impl Tree {
    /// The files below the arguments.
    pub fn find(arguments: &[PathBuf]) -> Result<Self, Error> {
        let mut tree = Self::default();
        for argument in arguments {
            let path = argument.canonicalize().map_err(|error| Error::NoSuchPath(argument.clone(), error))?;
            tree.settings.push(Settings::find(&path).map_err(Error::Settings)?);
            tree.lock_above(&path, argument);
            let before = (tree.seen.len(), tree.findings.len(), tree.excluded);
            tree.walk(argument);
            let is_empty = (tree.seen.len(), tree.findings.len(), tree.excluded) == before;
            let has_lock = tree.locks.iter().any(|(lock, _)| lock.starts_with(&path));
            if is_empty && !has_lock && !tree.seen.iter().any(|seen| seen.starts_with(&path)) {
                return Err(Error::Nothing(argument.clone()));
            }
        }
        tree.add_context();
        tree.files.sort_by(|a, b| a.display.cmp(&b.display));
        Ok(tree)
    }

    fn walk(&mut self, argument: &Path) {
        let cached = |entry: &ignore::DirEntry| {
            let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
            !(is_directory && entry.depth() > 0 && entry.path().join("CACHEDIR.TAG").exists())
        };
        let walk = WalkBuilder::new(argument)
            .ignore(false)
            .git_global(false)
            .git_exclude(false)
            .require_git(false)
            .follow_links(true)
            .filter_entry(cached)
            .build();
        for entry in walk {
            match entry {
                Ok(entry) => {
                    let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
                    let name = entry.file_name();
                    if is_file && name == "Cargo.lock" {
                        self.add_lock(entry.path());
                    } else if is_file && (entry.depth() == 0 || entry.path().extension().is_some_and(|ext| ext == "rs"))
                    {
                        self.add(entry.path(), true);
                    }
                }
                Err(error) => self.unreadable(&error),
            }
        }
    }

    /// A loop of links ends silently, and what is no source is left alone; anything else that cannot be entered is a
    /// finding.
    fn unreadable(&mut self, error: &ignore::Error) {
        if is_loop(error) {
            return;
        }
        let path = path_of(error);
        let is_link = path.is_some_and(Path::is_symlink);
        let is_source = path.is_none_or(|path| path.extension().is_some_and(|extension| extension == "rs"));
        let is_excluded = path.zip(self.settings.last()).is_some_and(|(path, settings)| settings.excludes_link(path));
        if is_link && !is_source || is_excluded {
            return;
        }
        let path = path.map_or_else(String::new, |path| shown(path).to_string());
        let message = format!("this cannot be read: {error}");
        self.findings.push(Finding::of_file(Rule::UnreadableFile, path.into(), message));
    }

    fn add(&mut self, path: &Path, is_target: bool) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(canonical.clone()) {
            return;
        }
        let settings = self.settings.len().saturating_sub(1);
        let is_excluded = self.settings.get(settings).is_some_and(|settings| settings.excludes(&canonical));
        if is_excluded && is_target {
            self.excluded += 1;
        }
        self.push(canonical, shown(path), settings, is_target && !is_excluded, false);
    }

    fn push(&mut self, path: PathBuf, display: Arc<str>, settings: usize, is_target: bool, is_fragment: bool) {
        let package = source::frontmatter_of(&path)
            .and_then(|text| Package::parse(path.parent()?, &script(&text)).map(Arc::new))
            .or_else(|| self.package(path.parent().unwrap_or(&path)));
        self.files.push(File { path, display, settings, is_target, package, is_fragment });
    }

    /// Adds files that others lead to, and says whether there were any.
    pub fn add_wanted(&mut self, wanted: impl IntoIterator<Item = (PathBuf, Wanted)>) -> bool {
        let mut any = false;
        for (path, why) in wanted {
            if !self.seen.insert(path.clone()) {
                continue;
            }
            any = true;
            let settings = self.settings.iter().position(|settings| settings.holds_for(&path));
            let is_fragment = why == Wanted::Fragment;
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            let is_target = is_fragment && !is_source && !self.settings.iter().any(|settings| settings.excludes(&path));
            let display = shown_from_here(&path);
            self.push(path, display, settings.unwrap_or(0), is_target, is_fragment);
        }
        any
    }

    fn add_lock(&mut self, path: &Path) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let is_excluded = self.settings.last().is_some_and(|settings| settings.excludes(&canonical));
        if !is_excluded && self.seen_locks.insert(canonical.clone()) {
            self.locks.push((canonical, shown(path)));
        }
    }

    /// The `Cargo.lock` of the workspace that an argument is a part of.
    fn lock_above(&mut self, path: &Path, argument: &Path) {
        let start = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let Some(lock) = start.ancestors().map(|above| above.join("Cargo.lock")).find(|lock| lock.is_file()) else {
            return;
        };
        if lock.parent() == Some(start) && path.is_dir() {
            self.add_lock(&argument.join("Cargo.lock"));
        } else {
            self.add_lock(&lock);
        }
    }

    /// Adds the crate roots of the packages that files were taken from, and the libraries next to them: their names are
    /// needed, and their modules are found from there.
    fn add_context(&mut self) {
        let mut waiting: Vec<Arc<Package>> = self.files.iter().filter_map(|file| file.package.clone()).collect();
        let mut seen: HashSet<PathBuf> = HashSet::new();
        let mut is_own = true;
        while !waiting.is_empty() {
            for package in std::mem::take(&mut waiting) {
                if !seen.insert(package.directory.clone()) {
                    continue;
                }
                let roots = if is_own { package.roots.len() } else { 1 };
                for root in package.roots.iter().take(roots) {
                    if self.seen.insert(root.clone()) {
                        let settings = self.settings.len() - 1;
                        self.push(root.clone(), shown(root), settings, false, false);
                    }
                }
                waiting.extend(package.neighbours().filter_map(|directory| self.package(directory)));
            }
            is_own = false;
        }
    }

    /// The package that a directory belongs to.
    fn package(&mut self, directory: &Path) -> Option<Arc<Package>> {
        if let Some(known) = self.packages.get(directory) {
            return known.clone();
        }
        let found = match Package::read(directory) {
            Some(package) => Some(Arc::new(package)),
            None => directory.parent().and_then(|parent| self.package(parent)),
        };
        self.packages.insert(directory.to_owned(), found.clone());
        found
    }
}

/// The manifest in a script, which may leave the package out.
fn script(text: &str) -> String {
    let has_package = text.lines().any(|line| line.trim() == "[package]");
    if has_package { text.to_owned() } else { format!("{text}\n[package]\nname = \"script\"\nedition = \"2024\"\n") }
}

fn shown(path: &Path) -> Arc<str> {
    let text = path.to_string_lossy();
    text.strip_prefix("./").unwrap_or(&text).into()
}

/// A path as it looks from the current directory.
fn shown_from_here(path: &Path) -> Arc<str> {
    let here = std::env::current_dir().ok();
    let below = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    shown(below.unwrap_or(path))
}

fn is_loop(error: &ignore::Error) -> bool {
    match error {
        ignore::Error::Loop { .. } => true,
        ignore::Error::WithPath { err, .. }
        | ignore::Error::WithDepth { err, .. }
        | ignore::Error::WithLineNumber { err, .. } => is_loop(err),
        _ => false,
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}
