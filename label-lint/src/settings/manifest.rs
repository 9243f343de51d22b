//! The settings in the root manifest: `[workspace.metadata.label-lint]`, or `[package.metadata.label-lint]` of a package of its own.

use std::path::Path;

use globset::{GlobBuilder, GlobSetBuilder};
use toml::de::{DeTable, DeValue};

use super::{Error, File, Levels, Override, Settings, table};
use crate::rules::{Level, Rule};

/// What the table of settings is called, below `workspace` or, in a package of its own, below `package`.
const NAME: &str = "label-lint";

const ACCEPTED: &str = "accepted: `exclude = [\"glob\", ..]`, `baseline = \"file\"`, `levels = { rule = \"off\" }` and \
                        `overrides = [{ paths = [\"glob\", ..], levels = { .. }, allow = [\"label\", ..] }]`, with \
                        paths from the directory of this file";

impl Settings {
    pub(super) fn read_manifests(&mut self, start: &Path) -> Result<(), Error> {
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
            let rule = Rule::by_name(key.get_ref()).map_err(|message| self.error(key.span().start, &message))?;
            let word = value.get_ref().as_str().unwrap_or_default();
            levels.set(rule, Level::by_name(word).map_err(|message| self.error(value.span().start, &message))?);
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
