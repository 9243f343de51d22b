//! The variables of the build as the compiler will see them: the application's own labels, and the namespace of its names.

use std::path::{Path, PathBuf};

use compozy_monitoring::labels::{
    self, ACCEPTED_EXTENSION, ACCEPTED_NAMESPACE, EXTENSION_VARIABLE, NAMESPACE_VARIABLE, Namespace,
};
use toml::de::DeValue;

use super::{Error, File, Settings, table};
use crate::report::visible;

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

impl Settings {
    /// The namespace of the tree.
    pub fn namespace(&self) -> Namespace<'_> {
        self.namespace.as_deref().and_then(Namespace::new).unwrap_or(Namespace::DEFAULT)
    }

    pub(super) fn read_variables(&mut self, start: &Path) -> Result<(), Error> {
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

    /// Finds a variable as cargo does: the nearest file wins, key by key; the environment wins over a file without `force`.
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
    // A text in a nearer file and a table in a file above it do not merge: cargo takes the nearer one.
    if entry.value.is_none() {
        entry.value = Some(Variable { text: text.to_owned(), file: file.path.clone(), line });
        (entry.force, entry.relative) = (flag("force"), flag("relative"));
    } else {
        entry.force = entry.force.or(flag("force"));
        entry.relative = entry.relative.or(flag("relative"));
    }
    Ok(())
}
