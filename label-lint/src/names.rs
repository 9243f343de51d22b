//! The modules of a tree: which file is which module of which crate. That is decided by `mod`, not by the path of the file.
//!
//! A file that no crate root leads to is placed by its path where that is possible, and is a crate of its own otherwise.

mod linker;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path as FilePath, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use crate::{
    items::{MACROS, OTHER_ITEMS, TYPES},
    manifest::{Extern, FACADE, METRICS, Package},
    scope::{Conditions, Def, Facts, Family, Macro, Scope},
    value::Value,
};

use self::linker::Linker;

pub type ModuleId = usize;
pub type CrateId = usize;

/// A module.
#[derive(Debug, Default)]
pub struct Module {
    pub parent: Option<ModuleId>,
    pub krate: CrateId,
    /// Its own source and those that it includes: a path to the scope within each file's.
    scopes: Vec<(usize, Vec<usize>)>,
    pub children: HashMap<String, Vec<ModuleId>>,
    /// The `cfg`s of the `mod`s that lead to its file.
    conditions: Conditions,
}

/// A crate: a library, a binary, a test, or a file that no other leads to.
#[derive(Debug)]
pub struct Crate {
    pub root: ModuleId,
    /// The name of the package, when this is its library.
    pub library_of: Option<String>,
    pub package: Option<Arc<Package>>,
    pub externs: HashMap<String, Extern>,
    /// Macros by name: the module, and where the definition is.
    pub macros: HashMap<String, Vec<(ModuleId, MacroRef)>>,
    /// Metric names in `families!`, each with its file.
    pub families: HashMap<String, Vec<(usize, Family)>>,
}

/// A macro of the tree: the file, the scope in it, and its number there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacroRef {
    pub file: usize,
    pub scope: Vec<usize>,
    pub index: usize,
}

/// The constants of a type: each with the module that it is written in, and whether a trait gives it.
type Associated = HashMap<(ModuleId, String), HashMap<String, Vec<(Value, ModuleId, bool)>>>;

/// A source file.
pub struct Source<'a> {
    pub path: &'a FilePath,
    pub package: Option<Arc<Package>>,
    /// Whether it could be read. Otherwise the names that it defines are unknown.
    pub is_read: bool,
    /// Whether it is no file of its own, but part of those that include it.
    pub is_fragment: bool,
    /// Whether its facts are here: those of a package are loaded once somebody asks for them.
    pub is_loaded: bool,
}

/// The names of a tree.
#[derive(Default)]
pub struct Names {
    pub modules: Vec<Module>,
    pub crates: Vec<Crate>,
    /// None for a file that is not loaded.
    facts: Vec<Option<Facts>>,
    /// The crate of each package's library.
    libraries: HashMap<String, CrateId>,
    libraries_at: HashMap<PathBuf, CrateId>,
    pub associated: Associated,
    /// The modules that each file is.
    pub places: Vec<Vec<ModuleId>>,
    pub label_fields: HashSet<String>,
    /// Files that are named by `mod`, `#[path]` or `include!` and were not among the sources.
    pub wanted: BTreeMap<PathBuf, Wanted>,
    /// The packages that are not loaded, by name and by directory.
    unloaded: HashMap<String, PathBuf>,
    unloaded_at: HashSet<PathBuf>,
    /// Those of them that somebody asked for.
    asked_for: Mutex<BTreeSet<PathBuf>>,
}

/// Why a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Module,
    Fragment,
}

/// How many modules one file may be: a library and a binary may both have it.
const MAX_PLACES: usize = 4;

impl Names {
    /// Puts the files in their places. Facts and sources are in the order of the files.
    pub fn new(sources: &[Source<'_>], facts: Vec<Option<Facts>>) -> Self {
        let mut names = Self { facts, places: vec![Vec::new(); sources.len()], ..Self::default() };
        for facts in names.facts.iter().flatten() {
            names.label_fields.extend(facts.label_fields.iter().cloned());
        }
        for package in sources.iter().filter(|source| !source.is_loaded).filter_map(|source| source.package.as_ref()) {
            if names.unloaded_at.insert(package.directory.clone()) {
                names.unloaded.entry(package.name.clone()).or_insert_with(|| package.directory.clone());
            }
        }
        let by_path: HashMap<&FilePath, usize> =
            sources.iter().enumerate().map(|(index, source)| (source.path, index)).collect();
        let mut linker = Linker { sources, by_path, names };
        linker.packages();
        linker.guessed();
        linker.rest();
        let mut names = linker.names;
        let asked_for = names.asked_for();
        names.associate();
        // The type of an `impl` is no reason to load its package: code that names the type asks for it.
        names.asked_for = Mutex::new(asked_for);
        names
    }

    /// The packages that have to be loaded to answer what was asked, by directory.
    pub fn asked_for(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut *self.asked_for.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ask_for(&self, directory: &FilePath) {
        self.asked_for.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.to_owned());
    }

    /// The facts again, for another try with more sources.
    pub fn into_facts(self) -> Vec<Option<Facts>> {
        self.facts
    }

    fn scope_at(&self, file: usize, path: &[usize]) -> &Scope {
        static NOTHING: LazyLock<Scope> = LazyLock::new(Scope::default);
        let Some(facts) = &self.facts[file] else { return &NOTHING };
        path.iter().fold(&facts.scope, |scope, index| &scope.modules[*index].1)
    }

    /// The scopes of a module.
    pub fn scopes(&self, module: ModuleId) -> impl Iterator<Item = &Scope> {
        self.modules[module]
            .scopes
            .iter()
            .filter(|(file, _)| *file != usize::MAX)
            .map(|(file, path)| self.scope_at(*file, path))
    }

    /// The definition of a macro.
    pub fn definition(&self, at: &MacroRef) -> &Macro {
        &self.scope_at(at.file, &at.scope).macros[at.index]
    }

    /// The crate that a macro is defined in.
    pub fn macro_crate(&self, at: &MacroRef) -> Option<CrateId> {
        self.places[at.file].first().map(|module| self.modules[*module].krate)
    }

    /// The library of a package of the tree.
    pub fn library(&self, package: &str, directory: Option<&PathBuf>) -> Option<CrateId> {
        let found = match directory {
            Some(directory) => self.libraries_at.get(directory).copied(),
            None => self.libraries.get(package).copied(),
        };
        if found.is_none()
            && let Some(unloaded) = match directory {
                Some(directory) => self.unloaded_at.get(directory),
                None => self.unloaded.get(package),
            }
        {
            self.ask_for(unloaded);
        }
        found
    }

    /// The module of this name within another.
    pub fn inner(&self, module: ModuleId, name: &str) -> &[ModuleId] {
        self.modules[module].children.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a module is another, or within it.
    pub fn is_within(&self, mut module: ModuleId, outer: ModuleId) -> bool {
        loop {
            if module == outer {
                return true;
            }
            match self.modules[module].parent {
                Some(parent) => module = parent,
                None => return false,
            }
        }
    }

    /// Whether a crate is the facade's own library, or that of `metrics`.
    pub fn is_origin(&self, krate: CrateId) -> bool {
        matches!(self.crates[krate].library_of.as_deref(), Some(FACADE))
            || self.crates[krate].library_of.as_deref() == Some(METRICS)
                && self.crates[krate].package.as_ref().is_some_and(|package| package.is_metrics)
    }

    /// Finds the type of each `impl` that has constants.
    fn associate(&mut self) {
        let mut found = Vec::new();
        for module in 0..self.modules.len() {
            for one in self.scopes(module).flat_map(|scope| &scope.associated) {
                let owners = self.types_of(module, &one.ty).into_iter();
                found.extend(owners.map(|owner| (owner, module, one.clone())));
            }
        }
        for (owner, module, one) in found {
            let all = self.associated.entry(owner).or_default();
            for (constant, value) in one.constants {
                all.entry(constant).or_default().push((value, module, one.of_trait));
            }
        }
    }
}

impl Names {
    /// Whether a part of a file is the source of a module.
    pub fn is_in(&self, module: ModuleId, file: usize) -> bool {
        self.modules[module].scopes.iter().any(|(one, _)| *one == file)
    }

    /// Whether a module has a source that was not read.
    pub fn is_open(&self, module: ModuleId) -> bool {
        self.modules[module].scopes.iter().any(|(file, path)| *file == usize::MAX || self.scope_at(*file, path).is_open)
    }
}

/// Every name that may stand for something of `metrics`, the facade or the packages that are known: theirs, and
/// those of imports, aliases, macros and families that lead to them.
pub fn words<'a>(facts: impl Iterator<Item = &'a Facts>) -> HashSet<String> {
    let mut leads: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut waiting: Vec<&str> = MACROS.iter().chain(TYPES).chain(OTHER_ITEMS).copied().collect();
    let mut scopes: Vec<&Scope> = facts.map(|facts| &facts.scope).collect();
    while let Some(scope) = scopes.pop() {
        scopes.extend(scope.modules.iter().map(|(_, inner)| inner));
        for (name, defs) in &scope.names {
            for (def, _) in defs {
                match def {
                    Def::Import(path) | Def::Alias(path) => {
                        let last = path.last().map(String::as_str).filter(|last| last != name);
                        leads.entry(last.unwrap_or_default()).or_default().push(name);
                    }
                    Def::Family => waiting.push(name),
                    Def::Value(_) | Def::Type(_) | Def::Other => {}
                }
            }
        }
        for one in &scope.macros {
            for ident in &one.idents {
                leads.entry(ident).or_default().push(&one.name);
            }
        }
    }
    let mut words = HashSet::new();
    while let Some(word) = waiting.pop() {
        if words.insert(word.to_owned()) {
            waiting.extend(leads.get(word).into_iter().flatten());
        }
    }
    words
}
