//! Puts the files of a tree together: from each crate root along its `mod`s.

use std::{
    collections::{HashMap, HashSet},
    path::{Path as FilePath, PathBuf},
};

use super::{Crate, MAX_PLACES, MacroRef, Module, ModuleId, Names, Source, Wanted};
use crate::{
    manifest::{Extern, FACADE, METRICS},
    scope::{Child, Conditions, Scope},
};

pub(super) struct Linker<'a> {
    pub(super) sources: &'a [Source<'a>],
    pub(super) by_path: HashMap<&'a FilePath, usize>,
    pub(super) names: Names,
}

impl Linker<'_> {
    pub(super) fn packages(&mut self) {
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
    pub(super) fn guessed(&mut self) {
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

    pub(super) fn rest(&mut self) {
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

    /// Gives a module the source of a file. `chain`: the files that lead here, so that a circle of files ends.
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
