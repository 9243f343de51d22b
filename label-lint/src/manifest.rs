//! What a `Cargo.toml` says about a package: its crates, and the packages that they name.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

/// The package behind `metrics::counter!`.
pub const METRICS: &str = "metrics";
/// The package of this workspace's facade.
pub const FACADE: &str = "compozy-monitoring";

/// A package that a crate names.
#[derive(Clone, Debug, PartialEq)]
pub enum Extern {
    Metrics,
    /// A package called `metrics` that is not from crates.io: only the shape of a call tells whether it records a metric.
    PerhapsMetrics,
    Facade,
    /// One of the packages in [`OTHERS`].
    Other(&'static str),
    /// Another package, and its directory where the manifest names one.
    Package(String, Option<PathBuf>),
}

/// Packages whose items matter to a label, beside `metrics` and the facade.
pub const OTHERS: &[&str] = &[
    "temporalio-common",
    "prometheus",
    "prometheus-client",
    "prometheus-client-derive-encode",
    "opentelemetry",
    "metrics-derive",
    "reth-metrics-derive",
    "metrics-exporter-prometheus",
];

impl Extern {
    /// The package of this name, from crates.io.
    pub fn of(package: &str) -> Self {
        match package {
            METRICS => Self::Metrics,
            FACADE => Self::Facade,
            name => OTHERS
                .iter()
                .find(|other| **other == name)
                .map_or_else(|| Self::Package(name.to_owned(), None), |other| Self::Other(other)),
        }
    }
}

/// What a manifest says.
#[derive(Debug, Default)]
pub struct Package {
    pub directory: PathBuf,
    pub name: String,
    /// What others call its library.
    pub library: String,
    /// The roots of its crates; the first is the library's.
    pub roots: Vec<PathBuf>,
    pub externs: HashMap<String, Extern>,
    /// Whether it is the package `metrics` of crates.io, and no other of that name.
    pub is_metrics: bool,
    /// Whether paths in a `use` start at the root of the crate.
    pub is_2015: bool,
}

impl Package {
    /// The package of a directory with a manifest that has one.
    pub fn read(directory: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(directory.join("Cargo.toml")).ok()?;
        Self::parse(directory, &text)
    }

    /// The package that a manifest in this directory says.
    pub fn parse(directory: &Path, text: &str) -> Option<Self> {
        let manifest = DeTable::parse(text).ok()?.into_inner();
        let package = section(&manifest, "package")?;
        let name = text_of(package, "name")?.to_owned();
        let library = section(&manifest, "lib").and_then(|library| text_of(library, "name"));
        let library = library.map_or_else(|| underscored(&name), str::to_owned);
        let inherits = package.get("edition").is_some_and(|edition| edition.get_ref().as_str().is_none());
        let is_2015 = !inherits && text_of(package, "edition").is_none_or(|edition| edition == "2015");
        let externs = externs(directory, &manifest);
        let is_metrics = name == METRICS && is_real(&manifest);
        Some(Self {
            roots: roots(directory, &manifest),
            directory: directory.to_owned(),
            name,
            library,
            externs,
            is_metrics,
            is_2015,
        })
    }

    /// The directories of the packages that it names by a path.
    pub fn neighbours(&self) -> impl Iterator<Item = &Path> {
        self.externs.values().filter_map(|one| match one {
            Extern::Package(_, Some(directory)) => Some(directory.as_path()),
            _ => None,
        })
    }
}

fn section<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a DeTable<'i>> {
    table.get(key)?.get_ref().as_table()
}

fn text_of<'a>(table: &'a DeTable<'_>, key: &str) -> Option<&'a str> {
    table.get(key)?.get_ref().as_str()
}

fn roots(directory: &Path, manifest: &DeTable<'_>) -> Vec<PathBuf> {
    let mut roots = Vec::new();
    let mut add = |path: PathBuf| {
        if !roots.contains(&path) && path.is_file() {
            roots.push(path);
        }
    };
    let library = section(manifest, "lib").and_then(|library| text_of(library, "path")).unwrap_or("src/lib.rs");
    add(directory.join(library));
    for kind in ["bin", "example", "test", "bench"] {
        let all = manifest.get(kind).and_then(|value| value.get_ref().as_array());
        for target in all.into_iter().flatten() {
            if let Some(path) = target.get_ref().as_table().and_then(|target| text_of(target, "path")) {
                add(directory.join(path));
            }
        }
    }
    add(directory.join("src/main.rs"));
    for found in ["src/bin", "examples", "tests", "benches"] {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(directory.join(found))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        entries.sort();
        for entry in entries {
            if entry.extension().is_some_and(|extension| extension == "rs") {
                add(entry);
            } else {
                add(entry.join("main.rs"));
            }
        }
    }
    let package = section(manifest, "package");
    add(directory.join(package.and_then(|package| text_of(package, "build")).unwrap_or("build.rs")));
    roots.into_iter().map(|path| path.canonicalize().unwrap_or(path)).collect()
}

fn externs(directory: &Path, manifest: &DeTable<'_>) -> HashMap<String, Extern> {
    let mut externs = HashMap::new();
    let mut workspace = None;
    let targets = section(manifest, "target").into_iter().flat_map(|targets| targets.iter());
    let tables = targets.filter_map(|(_, target)| target.get_ref().as_table()).chain([manifest]);
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = section(table, kind) else { continue };
            for (key, value) in dependencies {
                let key: &str = key.get_ref();
                let inherits = value.get_ref().as_table().and_then(|table| table.get("workspace")?.get_ref().as_bool());
                let found = if inherits == Some(true) {
                    let all = workspace.get_or_insert_with(|| of_workspace(directory));
                    all.get(key).cloned().unwrap_or_else(|| Extern::of(key))
                } else {
                    dependency(directory, key, value.get_ref())
                };
                externs.insert(underscored(key), found);
            }
        }
    }
    externs
}

/// What one entry of `[dependencies]` names.
fn dependency(directory: &Path, key: &str, value: &DeValue<'_>) -> Extern {
    let table = value.as_table();
    let get = |name: &str| table.and_then(|table| text_of(table, name));
    let package = get("package").unwrap_or(key);
    if let Some(path) = get("path") {
        let path = directory.join(path);
        let path = path.canonicalize().unwrap_or(path);
        return match package {
            METRICS if is_real_metrics(&path) => Extern::Metrics,
            METRICS => Extern::Package(package.to_owned(), Some(path)),
            _ => match Extern::of(package) {
                Extern::Package(name, _) => Extern::Package(name, Some(path)),
                known => known,
            },
        };
    }
    let is_elsewhere = get("git").is_some_and(|url| !url.contains("metrics-rs/metrics")) || get("registry").is_some();
    match Extern::of(package) {
        Extern::Metrics if is_elsewhere => Extern::PerhapsMetrics,
        found => found,
    }
}

/// Whether a directory has the sources of the package `metrics` of crates.io.
fn is_real_metrics(directory: &Path) -> bool {
    let text = std::fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
    let Ok(manifest) = DeTable::parse(&text) else { return false };
    is_real(manifest.get_ref())
}

fn is_real(manifest: &DeTable<'_>) -> bool {
    let repository = section(manifest, "package").and_then(|package| text_of(package, "repository"));
    repository.is_some_and(|url| url.contains("metrics-rs/metrics"))
}

/// The packages behind the keys of `[workspace.dependencies]`.
fn of_workspace(directory: &Path) -> HashMap<String, Extern> {
    for above in directory.ancestors() {
        let Ok(text) = std::fs::read_to_string(above.join("Cargo.toml")) else { continue };
        let Ok(manifest) = DeTable::parse(&text) else { continue };
        let Some(workspace) = section(manifest.get_ref(), "workspace") else { continue };
        let dependencies = section(workspace, "dependencies");
        return dependencies
            .into_iter()
            .flat_map(|all| all.iter())
            .map(|(key, value)| (key.get_ref().to_string(), dependency(above, key.get_ref(), value.get_ref())))
            .collect();
    }
    HashMap::new()
}

fn underscored(name: &str) -> String {
    name.replace('-', "_")
}
