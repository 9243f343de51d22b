//! What a tree says about itself: `[workspace.metadata.label-lint]` of its root manifest, and the application's own
//! labels as the compiler will see them.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use compozy_monitoring::labels::{
    self, ACCEPTED_EXTENSION, ACCEPTED_NAMESPACE, EXTENSION_VARIABLE, NAMESPACE_VARIABLE, Namespace,
};
use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use toml::de::{DeTable, DeValue};

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

/// What holds for some paths only.
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

/// What the table of settings is called, below `workspace` or, in a package of its own, below `package`.
const NAME: &str = "label-lint";

const ACCEPTED: &str = "accepted: `exclude = [\"glob\", ..]`, `baseline = \"file\"`, `levels = { rule = \"off\" }` and \
                        `overrides = [{ paths = [\"glob\", ..], levels = { .. }, allow = [\"label\", ..] }]`, with \
                        paths from the directory of this file";

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

/// The root manifest.
impl Settings {
    fn read_manifests(&mut self, start: &Path) -> Result<(), Error> {
        let mut package: Option<File> = None;
        for directory in start.ancestors() {
            let Some(file) = File::read(directory.join("Cargo.toml"))? else { continue };
            let manifest = file.parse()?;
            if manifest.contains_key("workspace") {
                check_names(&file, &manifest, "package", "[workspace.metadata.label-lint] of this manifest")?;
                if let Some(member) = &package {
                    let place = format!("[workspace.metadata.label-lint] of {}", file.path.display());
                    check_names(member, &member.parse()?, "package", &place)?;
                }
                return self.read_table(&file, &manifest, "workspace", directory);
            }
            if package.is_none() && manifest.contains_key("package") {
                package = Some(file);
            }
        }
        let Some(file) = package else { return Ok(()) };
        let directory = file.path.parent().unwrap_or(start).to_owned();
        self.read_table(&file, &file.parse()?, "package", &directory)
    }

    fn read_table(&mut self, file: &File, manifest: &DeTable<'_>, of: &str, directory: &Path) -> Result<(), Error> {
        let Some(metadata) = table(manifest, &[of, "metadata"]) else { return Ok(()) };
        for (key, _) in metadata {
            if key.get_ref() != NAME && key.get_ref().replace('_', "-") == NAME {
                let message = format!("[{of}.metadata.{}]: the name of this table is `{NAME}`", key.get_ref());
                return Err(file.error(key.span().start, message));
            }
        }
        let Some(entry) = metadata.get(NAME) else { return Ok(()) };
        let reader = Reader { file, name: format!("{of}.metadata.{NAME}") };
        let Some(found) = entry.get_ref().as_table() else {
            return Err(reader.error(entry.span().start, "this is no table"));
        };
        self.root = Some(directory.canonicalize().unwrap_or_else(|_| directory.to_owned()));
        for (key, value) in found {
            let at = value.span().start;
            match &**key.get_ref() {
                "exclude" => {
                    let mut globs = GlobSetBuilder::new();
                    for (glob, _) in reader.globs("exclude", value.get_ref(), at)? {
                        globs.add(glob);
                    }
                    self.exclude = globs.build().map_err(|error| reader.error(at, &error.to_string()))?;
                }
                "baseline" => {
                    let path = value.get_ref().as_str();
                    let path = path.ok_or_else(|| reader.error(at, "`baseline` is no text"))?;
                    self.baseline = Some(directory.join(path));
                }
                "levels" => self.levels = reader.levels(value.get_ref(), at)?,
                "overrides" => self.overrides = reader.overrides(value.get_ref(), at)?,
                other => return Err(reader.error(key.span().start, &format!("unknown key `{other}`"))),
            }
        }
        Ok(())
    }
}

/// An error if a manifest has settings where they do not count.
fn check_names(file: &File, manifest: &DeTable<'_>, of: &str, place: &str) -> Result<(), Error> {
    let Some(metadata) = table(manifest, &[of, "metadata"]) else { return Ok(()) };
    for (key, _) in metadata {
        if key.get_ref().replace('_', "-") == NAME {
            let message = format!("[{of}.metadata.{}] is not read; the settings belong in {place}", key.get_ref());
            return Err(file.error(key.span().start, message));
        }
    }
    Ok(())
}

struct Reader<'a> {
    file: &'a File,
    name: String,
}

impl Reader<'_> {
    fn error(&self, at: usize, message: &str) -> Error {
        self.file.error(at, format!("[{}]: {message}; {ACCEPTED}", self.name))
    }

    fn texts(&self, key: &str, value: &DeValue<'_>, at: usize) -> Result<Vec<(String, usize)>, Error> {
        let list = value.as_array().ok_or_else(|| self.error(at, &format!("`{key}` is no list")))?;
        let text = |entry: &toml::Spanned<DeValue<'_>>| {
            let text = entry.get_ref().as_str();
            let message = format!("an entry of `{key}` is no text");
            Ok((text.ok_or_else(|| self.error(entry.span().start, &message))?.to_owned(), entry.span().start))
        };
        list.iter().map(text).collect()
    }

    fn globs(&self, key: &str, value: &DeValue<'_>, at: usize) -> Result<Vec<(globset::Glob, usize)>, Error> {
        let glob = |(text, at): (String, usize)| {
            let built = GlobBuilder::new(&text).literal_separator(true).build();
            Ok((built.map_err(|error| self.error(at, &format!("`{text}` is no glob: {}", error.kind())))?, at))
        };
        self.texts(key, value, at)?.into_iter().map(glob).collect()
    }

    fn levels(&self, value: &DeValue<'_>, at: usize) -> Result<Levels, Error> {
        let table = value.as_table().ok_or_else(|| self.error(at, "`levels` is no table"))?;
        let mut levels = Levels::default();
        for (key, value) in table {
            let rule = rule(key.get_ref()).map_err(|message| self.error(key.span().start, &message))?;
            let word = value.get_ref().as_str().unwrap_or_default();
            levels.set(rule, level(word).map_err(|message| self.error(value.span().start, &message))?);
        }
        Ok(levels)
    }

    fn overrides(&self, value: &DeValue<'_>, at: usize) -> Result<Vec<Override>, Error> {
        let list = value.as_array().ok_or_else(|| self.error(at, "`overrides` is no list"))?;
        let mut overrides = Vec::new();
        for entry in list {
            let at = entry.span().start;
            let table = entry.get_ref().as_table().ok_or_else(|| self.error(at, "an override is no table"))?;
            let mut found = Override { paths: Vec::new(), levels: Levels::default(), allow: Vec::new() };
            for (key, value) in table {
                let at = value.span().start;
                match &**key.get_ref() {
                    "paths" => {
                        let globs = self.globs("paths", value.get_ref(), at)?;
                        found.paths = globs.iter().map(|(glob, _)| glob.compile_matcher()).collect();
                    }
                    "levels" => found.levels = self.levels(value.get_ref(), at)?,
                    "allow" => {
                        let texts = self.texts("allow", value.get_ref(), at)?;
                        found.allow = texts.into_iter().map(|(text, _)| text).collect();
                    }
                    other => return Err(self.error(key.span().start, &format!("unknown key `{other}` in an override"))),
                }
            }
            if found.paths.is_empty() {
                return Err(self.error(at, "an override without `paths`"));
            }
            overrides.push(found);
        }
        Ok(overrides)
    }
}

/// The rule of a name.
pub fn rule(name: &str) -> Result<Rule, String> {
    Rule::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        format!("`{name}` is no rule, there are: {}", names.join(", "))
    })
}

/// The level of a name.
pub fn level(name: &str) -> Result<Level, String> {
    Level::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = Level::ALL.iter().map(|(name, _)| *name).collect();
        format!("`{name}` is no level, there are: {}", names.join(", "))
    })
}

/// The entry of a variable in the files of cargo's configuration.
#[derive(Default)]
struct Entry {
    value: Option<Variable>,
    force: Option<bool>,
    relative: Option<bool>,
}

/// A variable of the build, and where it was found.
struct Variable {
    text: String,
    file: PathBuf,
    line: usize,
}

impl Variable {
    fn error(self, message: String) -> Error {
        Error { file: self.file, line: self.line, message }
    }
}

/// What the compiler will see.
impl Settings {
    /// The namespace of the tree.
    pub fn namespace(&self) -> Namespace<'_> {
        self.namespace.as_deref().and_then(Namespace::new).unwrap_or(Namespace::DEFAULT)
    }

    fn read_variables(&mut self, start: &Path) -> Result<(), Error> {
        if let Some(list) = self.variable(start, EXTENSION_VARIABLE, ACCEPTED_EXTENSION)? {
            if let Err(bad) = labels::check_extension(&list.text) {
                let message = bad.to_string();
                return Err(list.error(message));
            }
            self.extension = list.text;
        }
        if let Some(namespace) = self.variable(start, NAMESPACE_VARIABLE, ACCEPTED_NAMESPACE)? {
            if Namespace::new(&namespace.text).is_none() {
                let text = visible(&namespace.text);
                let message = format!("{NAMESPACE_VARIABLE}: `{text}` is no namespace; accepted: {ACCEPTED_NAMESPACE}");
                return Err(namespace.error(message));
            }
            self.namespace = Some(namespace.text);
        }
        Ok(())
    }

    /// As cargo does: the nearest file wins, key by key; the environment wins over a file without `force`.
    fn variable(&mut self, start: &Path, name: &str, accepted: &str) -> Result<Option<Variable>, Error> {
        let mut entry = Entry::default();
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")));
        let mut directories: Vec<PathBuf> = start.ancestors().map(|above| above.join(".cargo")).collect();
        directories.extend(home.filter(|home| !directories.contains(home)));
        for directory in directories {
            for file in ["config", "config.toml"] {
                if let Some(file) = File::read(directory.join(file))? {
                    read_entry(&file, name, accepted, &mut entry)?;
                    break;
                }
            }
        }
        let environment = std::env::var(name).ok();
        let environment = environment.map(|text| Variable { text, file: PathBuf::from("the environment"), line: 0 });
        let is_forced = entry.force == Some(true);
        if let Some(relative) = entry.value.take_if(|_| entry.relative == Some(true)) {
            let message =
                format!("{name} is `relative`, so the compiler gets a path and no text; accepted: {accepted}");
            return Err(relative.error(message));
        }
        Ok(match (environment, entry.value) {
            (Some(set), Some(own)) if !is_forced && own.text != set.text => {
                self.notes.push(format!(
                    "{name} is the one of the environment, as for the compiler: the one in .cargo/config.toml has no `force = true`"
                ));
                Some(set)
            }
            (_, Some(own)) => Some(own),
            (set, None) => set,
        })
    }
}

fn read_entry(file: &File, name: &str, accepted: &str, entry: &mut Entry) -> Result<(), Error> {
    let config = file.parse()?;
    let Some(found) = table(&config, &["env"]).and_then(|env| env.get(name)) else { return Ok(()) };
    let (value, flags) = match found.get_ref() {
        DeValue::Table(table) => (table.get("value").unwrap_or(found), Some(table)),
        _ => (found, None),
    };
    let flag = |name: &str| flags.and_then(|flags| flags.get(name)?.get_ref().as_bool());
    let Some(text) = value.get_ref().as_str() else {
        let message = format!("{name} is no text; accepted: {accepted}");
        return Err(file.error(value.span().start, message));
    };
    let line = file.error(value.span().start, "").line;
    // A text in a nearer file and a table above it do not merge: cargo takes the nearer one's.
    if entry.value.is_none() {
        entry.value = Some(Variable { text: text.to_owned(), file: file.path.clone(), line });
        (entry.force, entry.relative) = (flag("force"), flag("relative"));
    } else {
        entry.force = entry.force.or(flag("force"));
        entry.relative = entry.relative.or(flag("relative"));
    }
    Ok(())
}
