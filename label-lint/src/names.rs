//! The modules of a tree: which file is which module of which crate, as `mod` says, and not as its path looks.
//!
//! A file that no crate root leads to is placed by its path where that is possible, and is a crate of its own otherwise.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path as FilePath, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use crate::{
    manifest::{Extern, FACADE, METRICS, Package},
    resolve::{ITEMS, OTHER_ITEMS},
    scope::{Child, Conditions, Def, Facts, Family, Macro, Scope},
    value::Value,
};

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

/// A file, as far as names are concerned.
pub struct Source<'a> {
    pub path: &'a FilePath,
    pub package: Option<Arc<Package>>,
    /// Whether its facts are known; one that cannot be read defines names that are not.
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
        // The type of each `impl` is no reason to load a package: who names the type asks for it.
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

struct Linker<'a> {
    sources: &'a [Source<'a>],
    by_path: HashMap<&'a FilePath, usize>,
    names: Names,
}

impl Linker<'_> {
    fn packages(&mut self) {
        let mut seen = HashSet::new();
        for index in 0..self.sources.len() {
            let Some(package) = self.sources[index].package.clone() else { continue };
            if !seen.insert(package.directory.clone()) {
                continue;
            }
            for root in &package.roots {
                if let Some(&file) = self.by_path.get(root.as_path()).filter(|file| self.sources[**file].is_loaded) {
                    self.root(file);
                }
            }
        }
    }

    /// Files in the directory of a crate that nothing leads to: a macro may hold their `mod`.
    fn guessed(&mut self) {
        for file in 0..self.sources.len() {
            let source = &self.sources[file];
            if !self.names.places[file].is_empty() || source.is_fragment || !source.is_loaded {
                continue;
            }
            let path = self.sources[file].path;
            let (Some(directory), Some(stem)) = (path.parent(), path.file_stem()) else { continue };
            let (above, name) = if stem == "mod" {
                let Some(name) = directory.file_name() else { continue };
                (directory.parent().unwrap_or(directory), name)
            } else {
                (directory, stem)
            };
            let beside = |name: &str| self.by_path.get(above.join(name).as_path());
            let by_name = above.extension().is_none().then(|| above.with_extension("rs"));
            let parent = ["lib.rs", "main.rs", "mod.rs"].iter().find_map(|name| beside(name)).or_else(|| {
                let by_name = by_name.as_deref()?;
                self.by_path.get(by_name)
            });
            let Some(&parent) = parent.filter(|parent| **parent != file) else { continue };
            let Some(&module) = self.names.places[parent].first() else { continue };
            self.attach(file, module, &name.to_string_lossy());
        }
    }

    fn rest(&mut self) {
        let named: HashSet<usize> = (0..self.sources.len())
            .filter(|file| self.names.places[*file].is_empty() && self.sources[*file].is_loaded)
            .flat_map(|file| self.named_by(file))
            .collect();
        for only_roots in [true, false] {
            for file in 0..self.sources.len() {
                let is_candidate = !only_roots || !named.contains(&file) && !self.sources[file].is_fragment;
                if is_candidate && self.names.places[file].is_empty() && self.sources[file].is_loaded {
                    self.root(file);
                }
            }
        }
    }

    /// The files that the `mod`s of a file name.
    fn named_by(&self, file: usize) -> Vec<usize> {
        fn children<'s>(scope: &'s Scope, all: &mut Vec<&'s Child>) {
            all.extend(&scope.children);
            scope.modules.iter().for_each(|(_, inner)| children(inner, all));
        }
        let mut all = Vec::new();
        children(self.names.scope_at(file, &[]), &mut all);
        let paths = all.into_iter().flat_map(|child| self.candidates(file, child, false));
        paths.filter_map(|path| self.by_path.get(path.as_path()).copied()).filter(|named| *named != file).collect()
    }

    /// Where the file of a `mod` may be. `is_root`: whether modules of the file are beside it.
    fn candidates(&self, file: usize, child: &Child, is_root: bool) -> Vec<PathBuf> {
        let path = self.sources[file].path;
        let beside = path.parent().unwrap_or(path);
        let stem = path.file_stem().unwrap_or_default();
        let is_root = is_root || ["lib", "main", "mod", "build"].iter().any(|name| stem == *name);
        let base = if is_root { beside.to_owned() } else { beside.join(stem) };
        let within = child.within.iter().fold(base.clone(), |path, part| path.join(part));
        let mut found = Vec::new();
        for path in &child.paths {
            found.push(if child.within.is_empty() { beside.join(path) } else { within.join(path) });
        }
        if child.paths.is_empty() || child.paths.len() > 1 || found.iter().all(|path| !path.is_file()) {
            found.push(within.join(format!("{}.rs", child.name)));
            found.push(within.join(&child.name).join("mod.rs"));
            if !is_root && child.within.is_empty() && self.names.places[file].is_empty() {
                found.push(beside.join(format!("{}.rs", child.name)));
                found.push(beside.join(&child.name).join("mod.rs"));
            }
        }
        found.into_iter().map(|path| path.canonicalize().unwrap_or(path)).collect()
    }

    fn root(&mut self, file: usize) {
        let package = self.sources[file].package.clone();
        let is_library = package
            .as_ref()
            .is_some_and(|package| package.roots.first().is_some_and(|root| root == self.sources[file].path))
            && self.sources[file].path.file_name().is_none_or(|name| name != "main.rs" && name != "build.rs");
        let krate = self.names.crates.len();
        let root = self.names.modules.len();
        let mut externs = HashMap::new();
        match &package {
            Some(package) => {
                externs.clone_from(&package.externs);
                let own = match Extern::of(&package.name) {
                    Extern::Metrics if package.is_metrics => Extern::Metrics,
                    Extern::Metrics | Extern::Package(..) => {
                        Extern::Package(package.name.clone(), Some(package.directory.clone()))
                    }
                    known => known,
                };
                externs.entry(package.library.clone()).or_insert(own);
            }
            None => {
                for known in [METRICS, FACADE].iter().chain(crate::manifest::OTHERS) {
                    externs.insert(known.replace('-', "_"), Extern::of(known));
                }
            }
        }
        let library_of = package.as_ref().filter(|_| is_library).map(|package| package.name.clone());
        if let Some(package) = package.as_ref().filter(|_| is_library) {
            self.names.libraries.entry(package.name.clone()).or_insert(krate);
            self.names.libraries_at.entry(package.directory.clone()).or_insert(krate);
        }
        self.names.crates.push(Crate {
            root,
            library_of,
            package,
            externs,
            macros: HashMap::new(),
            families: HashMap::new(),
        });
        self.names.modules.push(Module { parent: None, krate, ..Module::default() });
        self.fill(root, file, &mut vec![file], true);
    }

    fn attach(&mut self, file: usize, parent: ModuleId, name: &str) -> ModuleId {
        let module = self.module(parent, name);
        self.fill(module, file, &mut vec![file], false);
        module
    }

    fn module(&mut self, parent: ModuleId, name: &str) -> ModuleId {
        let module = self.names.modules.len();
        let krate = self.names.modules[parent].krate;
        let conditions = self.names.modules[parent].conditions.clone();
        self.names.modules.push(Module { parent: Some(parent), krate, conditions, ..Module::default() });
        self.names.modules[parent].children.entry(name.to_owned()).or_default().push(module);
        module
    }

    /// Gives a module the source of a file. `chain`: the files that lead here, so that no circle is gone round.
    fn fill(&mut self, module: ModuleId, file: usize, chain: &mut Vec<usize>, is_root: bool) {
        if self.names.places[file].len() >= MAX_PLACES {
            return;
        }
        self.names.places[file].push(module);
        let krate = self.names.modules[module].krate;
        let families = self.names.facts[file].as_ref().map(|facts| facts.families.clone()).unwrap_or_default();
        for mut family in families {
            family.conditions.extend_from_slice(&self.names.modules[module].conditions);
            self.names.crates[krate].families.entry(family.name.clone()).or_default().push((file, family));
        }
        self.scope(module, file, Vec::new(), chain, is_root);
    }

    fn scope(&mut self, module: ModuleId, file: usize, path: Vec<usize>, chain: &mut Vec<usize>, is_root: bool) {
        self.names.modules[module].scopes.push((file, path.clone()));
        let scope = self.names.scope_at(file, &path);
        let macros: Vec<(String, MacroRef)> = scope
            .macros
            .iter()
            .enumerate()
            .map(|(index, one)| (one.name.clone(), MacroRef { file, scope: path.clone(), index }))
            .collect();
        let inline: Vec<String> = scope.modules.iter().map(|(name, _)| name.clone()).collect();
        let children: Vec<(String, Conditions, Vec<PathBuf>)> = scope
            .children
            .iter()
            .map(|child| (child.name.clone(), child.conditions.clone(), self.candidates(file, child, is_root)))
            .collect();
        let directory = self.sources[file].path.parent().unwrap_or(self.sources[file].path);
        let includes: Vec<PathBuf> = scope.includes.iter().map(|include| directory.join(include)).collect();
        let bodies: Vec<PathBuf> = scope.body_includes.iter().map(|include| directory.join(include)).collect();
        let krate = self.names.modules[module].krate;
        for (name, at) in macros {
            self.names.crates[krate].macros.entry(name).or_default().push((module, at));
        }
        for (index, name) in inline.into_iter().enumerate() {
            let inner = self.module(module, &name);
            let path = path.iter().copied().chain([index]).collect();
            self.scope(inner, file, path, chain, is_root);
        }
        for (name, conditions, paths) in children {
            let inner = self.module(module, &name);
            self.names.modules[inner].conditions.extend(conditions);
            let mut found = false;
            for path in &paths {
                found |= self.follow(inner, path, chain, Wanted::Module);
            }
            if !found {
                self.names.modules[inner].scopes.push((usize::MAX, Vec::new()));
            }
        }
        for path in bodies {
            let path = path.canonicalize().unwrap_or(path);
            match self.by_path.get(path.as_path()) {
                Some(&file) if !self.is_loaded(file) => {}
                Some(&file) if self.names.places[file].len() < MAX_PLACES => self.names.places[file].push(module),
                None if path.is_file() => {
                    self.names.wanted.insert(path, Wanted::Fragment);
                }
                _ => {}
            }
        }
        for path in includes {
            let path = path.canonicalize().unwrap_or(path);
            if !self.follow(module, &path, chain, Wanted::Fragment) {
                self.names.modules[module].scopes.push((usize::MAX, Vec::new()));
            }
        }
    }

    /// Whether the facts of a file are here; its package is asked for if they are not.
    fn is_loaded(&self, file: usize) -> bool {
        let source = &self.sources[file];
        if let Some(package) = source.package.as_ref().filter(|_| !source.is_loaded) {
            self.names.ask_for(&package.directory);
        }
        source.is_loaded
    }

    /// Gives a module the source of a path, and says whether it could.
    fn follow(&mut self, module: ModuleId, path: &FilePath, chain: &mut Vec<usize>, why: Wanted) -> bool {
        let Some(&file) = self.by_path.get(path) else {
            if path.is_file() {
                self.names.wanted.insert(path.to_owned(), why);
            }
            return false;
        };
        if chain.contains(&file) || !self.is_loaded(file) || !self.sources[file].is_read {
            return false;
        }
        chain.push(file);
        self.fill(module, file, chain, false);
        chain.pop();
        true
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
    let mut waiting: Vec<&str> = ITEMS.iter().chain(OTHER_ITEMS).copied().collect();
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
