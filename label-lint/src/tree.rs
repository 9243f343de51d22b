//! Which files a run looks at, and to which package each belongs.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ignore::WalkBuilder;
use toml::de::{DeTable, DeValue};

use crate::{
    finding::Finding,
    names::{Extern, Unit},
    rules::Rule,
    settings::{self, Settings},
};

/// Why a run cannot start.
#[derive(Debug)]
pub enum Error {
    NoSuchPath(PathBuf, std::io::Error),
    Settings(settings::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPath(path, error) => write!(f, "{}: {error}", path.display()),
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
    pub unit: usize,
    pub module: Vec<String>,
    /// The crate root that it belongs to below its unit: the name of a test or a binary.
    pub root: String,
}

/// Everything a run looks at.
#[derive(Default)]
pub struct Tree {
    pub files: Vec<File>,
    pub locks: Vec<(PathBuf, Arc<str>)>,
    pub settings: Vec<Settings>,
    pub units: Vec<Unit>,
    pub libraries: HashMap<String, usize>,
    pub findings: Vec<Finding>,
    pub excluded: usize,
}

impl Tree {
    /// The files below the arguments.
    pub fn find(arguments: &[PathBuf]) -> Result<Self, Error> {
        let mut finder = Finder::default();
        let mut roots = Vec::new();
        for argument in arguments {
            let path = argument.canonicalize().map_err(|error| Error::NoSuchPath(argument.clone(), error))?;
            let settings = Settings::find(&path).map_err(Error::Settings)?;
            finder.tree.settings.push(settings);
            finder.lock_above(&path, argument);
            finder.walk(argument, true);
            roots.push(path);
        }
        finder.tree.files.sort_by(|a, b| a.display.cmp(&b.display));
        finder.add_context(&roots);
        finder.place_files();
        Ok(finder.tree)
    }
}

#[derive(Default)]
struct Finder {
    tree: Tree,
    seen: HashSet<PathBuf>,
    seen_locks: HashSet<PathBuf>,
    packages: HashMap<PathBuf, Option<Arc<Package>>>,
}

/// What a manifest says.
#[derive(Debug, Default)]
struct Package {
    directory: PathBuf,
    name: String,
    library: String,
    externs: HashMap<String, Extern>,
}

impl Finder {
    fn walk(&mut self, argument: &Path, is_target: bool) {
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
                        self.add(entry.path(), is_target);
                    }
                }
                Err(error) => self.unreadable(&error),
            }
        }
    }

    /// A loop of links ends silently; anything else that cannot be entered is a finding.
    fn unreadable(&mut self, error: &ignore::Error) {
        if is_loop(error) {
            return;
        }
        let path = path_of(error).map_or_else(String::new, |path| shown(path).to_string());
        self.tree.findings.push(Finding {
            rule: Rule::UnreadableFile,
            file: path.into(),
            place: None,
            message: format!("this cannot be read: {error}"),
            caption: String::new(),
            help: Vec::new(),
            label: None,
        });
    }

    fn add(&mut self, path: &Path, is_target: bool) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(canonical.clone()) {
            return;
        }
        let settings = self.tree.settings.len() - 1;
        if self.tree.settings[settings].excludes(&canonical) {
            self.tree.excluded += 1;
            return;
        }
        self.tree.files.push(File {
            path: canonical,
            display: shown(path),
            settings,
            is_target,
            unit: 0,
            module: Vec::new(),
            root: String::new(),
        });
    }

    fn add_lock(&mut self, path: &Path) {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let is_excluded = self.tree.settings.last().is_some_and(|settings| settings.excludes(&canonical));
        if !is_excluded && self.seen_locks.insert(canonical.clone()) {
            self.tree.locks.push((canonical, shown(path)));
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

    /// Adds the rest of the packages that single files or directories were taken from: their constants are needed.
    fn add_context(&mut self, roots: &[PathBuf]) {
        let mut directories: Vec<PathBuf> = Vec::new();
        for index in 0..self.tree.files.len() {
            let path = self.tree.files[index].path.clone();
            let Some(package) = self.package(path.parent().unwrap_or(&path)) else { continue };
            let Ok(below) = path.strip_prefix(&package.directory) else { continue };
            let Some(section) = below.components().next().filter(|_| below.components().count() > 1) else { continue };
            let directory = package.directory.join(section);
            let is_covered = roots.iter().any(|root| directory.starts_with(root));
            if !is_covered && !directories.contains(&directory) {
                directories.push(directory);
            }
        }
        for directory in directories {
            self.walk(&directory, false);
        }
    }

    fn place_files(&mut self) {
        let mut units: HashMap<(PathBuf, String), usize> = HashMap::new();
        for index in 0..self.tree.files.len() {
            let path = self.tree.files[index].path.clone();
            let package = self.package(path.parent().unwrap_or(&path));
            let (key, module, root) = match &package {
                Some(package) => {
                    let below = path.strip_prefix(&package.directory).unwrap_or(&path);
                    let (section, module, root) = place(below);
                    ((package.directory.clone(), section), module, root)
                }
                None => ((path.clone(), String::new()), Vec::new(), String::new()),
            };
            let is_library = key.1 == "src";
            let unit = *units.entry(key).or_insert_with(|| {
                self.tree.units.push(unit(package.as_deref(), is_library));
                self.tree.units.len() - 1
            });
            if let Some(package) = package.filter(|_| is_library) {
                self.tree.libraries.entry(package.name.clone()).or_insert(unit);
            }
            let file = &mut self.tree.files[index];
            (file.unit, file.module, file.root) = (unit, module, root);
        }
    }

    /// The package that a directory belongs to.
    fn package(&mut self, directory: &Path) -> Option<Arc<Package>> {
        if let Some(known) = self.packages.get(directory) {
            return known.clone();
        }
        let found = match package(directory) {
            Some(package) => Some(Arc::new(package)),
            None => directory.parent().and_then(|parent| self.package(parent)),
        };
        self.packages.insert(directory.to_owned(), found.clone());
        found
    }
}

fn unit(package: Option<&Package>, is_library: bool) -> Unit {
    let mut unit = Unit::default();
    match package {
        Some(package) => {
            unit.has_manifest = true;
            unit.externs.clone_from(&package.externs);
            unit.externs.insert(package.library.clone(), Extern::of(&package.name));
            unit.package = is_library.then(|| package.name.clone());
        }
        None => {
            unit.externs.insert("metrics".to_owned(), Extern::Metrics);
            unit.externs.insert("compozy_monitoring".to_owned(), Extern::Facade);
        }
    }
    unit
}

/// The section of the package that a file is in, its module there, and its crate root.
fn place(below: &Path) -> (String, Vec<String>, String) {
    let parts: Vec<String> = below.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (section, mut module) = match parts.as_slice() {
        ["src", "bin", module @ ..] => ("bin", module.to_vec()),
        [section @ ("src" | "tests" | "examples" | "benches"), module @ ..] => (*section, module.to_vec()),
        module => ("", module.to_vec()),
    };
    if matches!(module.last(), Some(&("lib" | "main" | "mod"))) {
        module.pop();
    }
    let root = if section == "src" { "" } else { module.first().copied().unwrap_or_default() };
    (section.to_owned(), module.iter().map(|part| (*part).to_owned()).collect(), root.to_owned())
}

/// The package of a directory with a manifest that has one.
fn package(directory: &Path) -> Option<Package> {
    let text = std::fs::read_to_string(directory.join("Cargo.toml")).ok()?;
    let manifest = DeTable::parse(&text).ok()?.into_inner();
    let section = |key: &str| manifest.get(key).and_then(|value| value.get_ref().as_table());
    let name = section("package")?.get("name")?.get_ref().as_str()?.to_owned();
    let library = section("lib").and_then(|library| library.get("name")?.get_ref().as_str());
    let library = library.map_or_else(|| underscored(&name), str::to_owned);
    let mut externs = HashMap::new();
    let mut workspace = None;
    let targets = section("target").into_iter().flat_map(|targets| targets.iter());
    let tables = targets.filter_map(|(_, target)| target.get_ref().as_table()).chain([&manifest]);
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = table.get(kind).and_then(|value| value.get_ref().as_table()) else { continue };
            for (key, value) in dependencies {
                let key: &str = key.get_ref();
                let package = match renamed(value.get_ref()) {
                    Renamed::To(package) => package.to_owned(),
                    Renamed::No => key.to_owned(),
                    Renamed::InWorkspace => {
                        let names = workspace.get_or_insert_with(|| workspace_names(directory));
                        names.get(key).cloned().unwrap_or_else(|| key.to_owned())
                    }
                };
                externs.insert(underscored(key), Extern::of(&package));
            }
        }
    }
    Some(Package { directory: directory.to_owned(), name, library, externs })
}

enum Renamed<'a> {
    No,
    To(&'a str),
    InWorkspace,
}

fn renamed<'a>(dependency: &'a DeValue<'_>) -> Renamed<'a> {
    let Some(table) = dependency.as_table() else { return Renamed::No };
    if let Some(package) = table.get("package").and_then(|package| package.get_ref().as_str()) {
        return Renamed::To(package);
    }
    let inherits = table.get("workspace").and_then(|flag| flag.get_ref().as_bool());
    if inherits == Some(true) { Renamed::InWorkspace } else { Renamed::No }
}

/// The packages behind the keys of `[workspace.dependencies]` that have another name.
fn workspace_names(directory: &Path) -> HashMap<String, String> {
    for above in directory.ancestors() {
        let Ok(text) = std::fs::read_to_string(above.join("Cargo.toml")) else { continue };
        let Ok(manifest) = DeTable::parse(&text) else { continue };
        let Some(workspace) = manifest.get_ref().get("workspace").and_then(|value| value.get_ref().as_table()) else {
            continue;
        };
        let dependencies = workspace.get("dependencies").and_then(|value| value.get_ref().as_table());
        return dependencies
            .into_iter()
            .flat_map(|all| all.iter())
            .filter_map(|(key, value)| match renamed(value.get_ref()) {
                Renamed::To(package) => Some((key.get_ref().to_string(), package.to_owned())),
                _ => None,
            })
            .collect();
    }
    HashMap::new()
}

fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

fn shown(path: &Path) -> Arc<str> {
    let text = path.to_string_lossy();
    text.strip_prefix("./").unwrap_or(&text).into()
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
