//! What a path stands for where it is written, by Rust's own scoping: blocks, modules, imports, globs, other crates.
//!
//! `cfg` is not evaluated, so one name may have several targets. What the glob of another package brings is not known. An
//! [`Answer`] says whether it is certain: a value has to be, a macro need not.

mod answer;
mod lookup;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
};

use crate::{
    eval::Known,
    items::is_item,
    manifest::{Extern, METRICS},
    names::{CrateId, ModuleId, Names},
    scope::Scope,
    value::Path,
};

pub use self::answer::{Answer, Space, Target};

/// What stands for `$crate` in the expansion of a macro of that crate.
pub const CRATE: &str = "__label_lint_crate_";

/// What is around a place: a block, the parameters of a function, the generics of an item.
#[derive(Debug, Default)]
pub struct Frame {
    pub scope: Option<Scope>,
    /// Variables; the flag says that the definition of a macro wrote the name.
    pub variables: HashMap<(String, bool), Known>,
    /// Parameters of generics, which are types.
    pub types: HashSet<String>,
    /// Whether variables around it are not seen: an item, or tokens that cannot be parsed.
    pub is_barrier: bool,
    /// Whether any variable may be bound anew, or constants with these names defined.
    pub unknown: HashSet<String>,
}

/// A place.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    pub names: &'a Names,
    pub module: ModuleId,
    pub frames: &'a [Frame],
    /// Whether variables are seen.
    pub sees_variables: bool,
}

/// How many look-ups one path may take.
const MAX_STEPS: usize = 4_000;
const MAX_SEGMENTS: usize = 16;

struct Search {
    /// Look-ups that are under way: a circle of imports brings nothing.
    open: HashSet<(ModuleId, String, Space)>,
    steps: Cell<usize>,
}

impl<'a> Env<'a> {
    pub fn of_module(names: &'a Names, module: ModuleId) -> Self {
        Self { names, module, frames: &[], sees_variables: false }
    }

    fn krate(&self) -> CrateId {
        self.names.modules[self.module].krate
    }

    fn root(&self) -> ModuleId {
        self.names.crates[self.krate()].root
    }

    /// What a path stands for here. `by_macro`: the definition of a macro wrote it.
    pub fn resolve(&self, path: &[String], space: Space, by_macro: bool) -> Answer {
        let mut search = Search { open: HashSet::new(), steps: Cell::new(0) };
        let answer = self.path(path, space, by_macro, false, &mut search);
        let targets = answer.targets.into_iter().map(|target| match target {
            Target::Outside(path) => reexported(path),
            other => other,
        });
        Answer { targets: targets.collect(), certain: answer.certain && search.steps.get() < MAX_STEPS }
    }

    fn path(&self, path: &[String], space: Space, by_macro: bool, is_import: bool, search: &mut Search) -> Answer {
        let Some((first, rest)) = path.split_first() else { return Answer::NOTHING };
        search.steps.set(search.steps.get() + 1);
        if path.len() > MAX_SEGMENTS || search.steps.get() >= MAX_STEPS {
            return Answer { targets: Vec::new(), certain: false };
        }
        let module = |module| Answer::one(Target::Module(module));
        let start = match first.as_str() {
            "crate" => module(self.root()),
            "self" => module(self.module),
            "super" => module(self.parent(self.module)),
            "::" => {
                let Some((first, rest)) = rest.split_first() else { return Answer::NOTHING };
                let start = self.external(first);
                return self.walk(start, rest, space, search);
            }
            name if name.starts_with(CRATE) => {
                let krate = name[CRATE.len()..].parse::<CrateId>().ok().and_then(|id| self.names.crates.get(id));
                krate.map_or(Answer::NOTHING, |krate| module(krate.root))
            }
            name => {
                let space = if rest.is_empty() { space } else { Space::Type };
                let mut found = self.lexical(name, space, by_macro, search);
                if found.targets.is_empty() && space == Space::Type {
                    found.add(self.external(name));
                }
                let package = self.names.crates[self.krate()].package.as_ref();
                if found.targets.is_empty() && is_import && package.is_none_or(|package| package.is_2015) {
                    found.add(self.in_module(self.root(), name, space, None, search));
                }
                found
            }
        };
        self.walk(start, rest, space, search)
    }

    fn parent(&self, module: ModuleId) -> ModuleId {
        self.names.modules[module].parent.unwrap_or(module)
    }

    /// Another crate by its name.
    fn external(&self, name: &str) -> Answer {
        let krate = &self.names.crates[self.krate()];
        let target = match krate.externs.get(name) {
            Some(Extern::Metrics) => Target::Metrics(Path::new()),
            Some(Extern::PerhapsMetrics) => Target::PerhapsMetrics(Path::new()),
            Some(Extern::Facade) => Target::Facade(Path::new()),
            Some(Extern::Other(package)) => Target::Other(package, Path::new()),
            Some(Extern::Package(package, directory)) => match self.names.library(package, directory.as_ref()) {
                Some(library) => Target::Module(self.names.crates[library].root),
                None => Target::Outside(vec![name.to_owned()]),
            },
            None if ["std", "core", "alloc", "proc_macro", "test"].contains(&name) => return Answer::NOTHING,
            None if krate.package.is_none() => Target::Outside(vec![name.to_owned()]),
            None => return Answer::NOTHING,
        };
        Answer::one(target)
    }

    /// Goes down the rest of a path.
    fn walk(&self, mut answer: Answer, rest: &[String], space: Space, search: &mut Search) -> Answer {
        for (at, name) in rest.iter().enumerate() {
            let space = if at + 1 == rest.len() { space } else { Space::Type };
            let mut next = Answer { targets: Vec::new(), certain: answer.certain };
            for target in answer.targets {
                next.add(self.below(target, name, space, search));
            }
            answer = next;
        }
        answer
    }

    fn below(&self, target: Target, name: &str, space: Space, search: &mut Search) -> Answer {
        let longer = |mut path: Path| {
            path.push(name.to_owned());
            path
        };
        match target {
            Target::Module(module) if name == "super" => Answer::one(Target::Module(self.parent(module))),
            Target::Module(module) if name == "self" => Answer::one(Target::Module(module)),
            Target::Module(module) => self.in_module(module, name, space, None, search),
            Target::Metrics(path) => {
                item(longer(path)).map_or(Answer::NOTHING, |path| Answer::one(Target::Metrics(path)))
            }
            Target::PerhapsMetrics(path) => Answer::one(Target::PerhapsMetrics(longer(path))),
            Target::Facade(path) => facade(longer(path)),
            Target::Other(package, path) => Answer::one(Target::Other(package, longer(path))),
            Target::Outside(path) => Answer::one(Target::Outside(longer(path))),
            Target::Type(module, ty) => self.associated(module, &ty, name),
            Target::Value(..)
            | Target::Variable(_)
            | Target::Family
            | Target::Macro(_)
            | Target::BlockMacro(..)
            | Target::Local => Answer::one(Target::Local),
        }
    }

    /// A constant of a type: its own before those of traits.
    fn associated(&self, module: ModuleId, ty: &str, name: &str) -> Answer {
        let all = self.names.associated.get(&(module, ty.to_owned())).and_then(|all| all.get(name));
        let Some(all) = all else { return Answer::one(Target::Local) };
        let has_own = all.iter().any(|(.., of_trait)| !of_trait);
        let mut answer = Answer::NOTHING;
        for (value, module, _) in all.iter().filter(|(.., of_trait)| !(*of_trait && has_own)) {
            answer.add(Answer::one(Target::Value(value.clone(), *module, 0)));
        }
        answer
    }
}

impl Names {
    /// The types of the tree that a path may mean.
    pub fn types_of(&self, module: ModuleId, path: &[String]) -> Vec<(ModuleId, String)> {
        let answer = Env::of_module(self, module).resolve(path, Space::Type, false);
        let types = answer.targets.into_iter().filter_map(|target| match target {
            Target::Type(module, name) => Some((module, name)),
            _ => None,
        });
        types.collect()
    }
}

fn item(path: Path) -> Option<Path> {
    path.first().is_some_and(|first| is_item(first)).then_some(path)
}

fn facade(path: Path) -> Answer {
    match path.split_first() {
        Some((first, [])) if first == METRICS => Answer::one(Target::Metrics(Path::new())),
        Some((first, _)) if is_item(first) => Answer::one(Target::Facade(path)),
        _ => Answer::NOTHING,
    }
}

/// An item behind another package's `pub use metrics`.
fn reexported(path: Path) -> Target {
    match path.iter().skip(1).position(|segment| segment == METRICS) {
        Some(at) => {
            let rest = path[at + 2..].to_vec();
            if rest.is_empty() {
                Target::Metrics(rest)
            } else {
                item(rest).map_or(Target::Outside(path), Target::Metrics)
            }
        }
        None => Target::Outside(path),
    }
}
