//! What a tree says about itself: `[workspace.metadata.label-lint]` of its root manifest, and the application's own
//! labels in `.cargo/config.toml`.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use compozy_monitoring::labels::{self, EXTENSION_VARIABLE};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use toml::de::{DeTable, DeValue};

/// The settings for one argument of the command line.
#[derive(Debug, Default)]
pub struct Settings {
    /// The directory of the root manifest, and the globs below it that are not checked.
    exclude: Option<(PathBuf, GlobSet)>,
    /// The application's own labels.
    pub extension: String,
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
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// Where the table of settings is.
const TABLE: &str = "workspace.metadata.label-lint";

impl Settings {
    /// The settings that hold for a file or directory, from the files above it.
    pub fn find(path: &Path) -> Result<Self, Error> {
        let start = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        Ok(Self { exclude: exclude(start)?, extension: extension(start)? })
    }

    /// Whether a file is excluded; the path is absolute.
    pub fn excludes(&self, path: &Path) -> bool {
        let Some((root, globs)) = &self.exclude else { return false };
        path.strip_prefix(root).is_ok_and(|below| globs.is_match(below))
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

fn exclude(start: &Path) -> Result<Option<(PathBuf, GlobSet)>, Error> {
    for directory in start.ancestors() {
        let Some(file) = File::read(directory.join("Cargo.toml"))? else { continue };
        let manifest = file.parse()?;
        if !manifest.contains_key("workspace") {
            continue;
        }
        let Some(settings) = table(&manifest, &["workspace", "metadata", "label-lint"]) else { return Ok(None) };
        let globs = globs(&file, settings)?;
        return Ok(Some((directory.to_owned(), globs)));
    }
    Ok(None)
}

fn globs(file: &File, settings: &DeTable<'_>) -> Result<GlobSet, Error> {
    const ACCEPTED: &str = "accepted: `exclude = [\"glob\", ..]`, with paths from the directory of this file";
    let mut globs = GlobSetBuilder::new();
    for (key, value) in settings {
        if key.get_ref() != "exclude" {
            return Err(file.error(key.span().start, format!("[{TABLE}]: unknown key `{}`; {ACCEPTED}", key.get_ref())));
        }
        let list = value.get_ref().as_array();
        let list =
            list.ok_or_else(|| file.error(value.span().start, format!("[{TABLE}]: `exclude` is no list; {ACCEPTED}")))?;
        for entry in list {
            let text = entry.get_ref().as_str().ok_or_else(|| {
                file.error(entry.span().start, format!("[{TABLE}]: an entry of `exclude` is no text; {ACCEPTED}"))
            })?;
            let glob = GlobBuilder::new(text).literal_separator(true).build().map_err(|error| {
                file.error(entry.span().start, format!("[{TABLE}]: `{text}` is no glob: {}; {ACCEPTED}", error.kind()))
            })?;
            globs.add(glob);
        }
    }
    globs.build().map_err(|error| file.error(0, format!("[{TABLE}]: {error}")))
}

fn extension(start: &Path) -> Result<String, Error> {
    for directory in start.ancestors() {
        for name in [".cargo/config", ".cargo/config.toml"] {
            let Some(file) = File::read(directory.join(name))? else { continue };
            let config = file.parse()?;
            let Some(env) = table(&config, &["env"]) else { continue };
            let Some(entry) = env.get(EXTENSION_VARIABLE) else { continue };
            let value = match entry.get_ref() {
                DeValue::Table(table) => table.get("value").unwrap_or(entry),
                _ => entry,
            };
            let Some(list) = value.get_ref().as_str() else {
                let message = format!("{EXTENSION_VARIABLE} is no text; accepted: {}", labels::ACCEPTED_EXTENSION);
                return Err(file.error(value.span().start, message));
            };
            labels::check_extension(list).map_err(|bad| file.error(value.span().start, bad.to_string()))?;
            return Ok(list.to_owned());
        }
    }
    Ok(String::new())
}
