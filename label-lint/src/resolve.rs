//! What a path stands for where it is written, by Rust's own scoping: blocks, modules, imports, globs, other crates.
//!
//! `cfg` is not evaluated, so one name may have several targets; and what another package's glob brings is not known. An
//! [`Answer`] says so: who asks for a value wants one that is certain, who asks for a macro takes what may be.

mod answer;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
};

use crate::{
    eval::Known,
    items::{OTHER_ITEMS, is_item},
    manifest::{Extern, FACADE, METRICS},
    names::{CrateId, MacroRef, ModuleId, Names},
    scope::{Def, Scope, Sight},
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
    /// Whether variables around it are not seen: an item, or tokens that nobody understands.
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

/// How much one path may cost.
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

    /// A name without a path before it.
    fn lexical(&self, name: &str, space: Space, by_macro: bool, search: &mut Search) -> Answer {
        let mut answer = Answer::NOTHING;
        let mut sees_variables = self.sees_variables && space == Space::Value;
        for (at, frame) in self.frames.iter().enumerate().rev() {
            if sees_variables && let Some(known) = frame.variables.get(&(name.to_owned(), by_macro)) {
                answer.add(Answer::one(Target::Variable(known.clone())));
                return answer;
            }
            sees_variables &= !frame.is_barrier;
            if space == Space::Type && frame.types.contains(name) {
                answer.add(Answer::one(Target::Local));
                return answer;
            }
            answer.certain &= !frame.unknown.contains(name);
            let Some(scope) = &frame.scope else { continue };
            if space == Space::Macro {
                for (index, _) in scope.macros.iter().enumerate().filter(|(_, one)| one.name == name) {
                    answer.add(Answer::one(Target::BlockMacro(at, index)));
                }
            }
            if answer.targets.is_empty() {
                let here = Env { frames: &self.frames[..=at], sees_variables: false, ..*self };
                if search.open.insert((usize::MAX - at, name.to_owned(), space)) {
                    answer.add(here.in_scope(scope, at + 1, name, space, None, search));
                    search.open.remove(&(usize::MAX - at, name.to_owned(), space));
                }
            }
            if !answer.targets.is_empty() {
                return answer;
            }
        }
        let here = Env { frames: &[], sees_variables: false, ..*self };
        if space == Space::Macro {
            answer.add(here.textual(name));
            if !answer.targets.is_empty() {
                return answer;
            }
        }
        answer.add(here.in_module(self.module, name, space, None, search));
        if answer.targets.is_empty() && space == Space::Macro {
            // `#[macro_use] mod macros;`
            let all = self.names.crates[self.krate()].macros.get(name).into_iter().flatten();
            for (module, at) in all {
                answer.add(self.of_macro(*module, at, name));
                answer.certain = false;
            }
        }
        answer
    }

    /// A macro by where it is written: in the module or one around it.
    fn textual(&self, name: &str) -> Answer {
        let mut answer = Answer::NOTHING;
        let all = self.names.crates[self.krate()].macros.get(name);
        let mut module = Some(self.module);
        while let (Some(here), Some(all)) = (module, all) {
            for (_, at) in all.iter().filter(|(owner, _)| *owner == here) {
                answer.add(self.of_macro(here, at, name));
            }
            if !answer.targets.is_empty() {
                break;
            }
            module = self.names.modules[here].parent;
        }
        answer
    }

    fn of_macro(&self, module: ModuleId, at: &MacroRef, name: &str) -> Answer {
        let krate = self.names.modules[module].krate;
        if is_item(name) && self.names.is_origin(krate) {
            let path = vec![name.to_owned()];
            let is_facade = self.names.crates[krate].library_of.as_deref() == Some(FACADE);
            return Answer::one(if is_facade { Target::Facade(path) } else { Target::Metrics(path) });
        }
        Answer::one(Target::Macro(at.clone()))
    }

    /// A name in a module. `viewer`: the module that a glob brings it to, which sees no more than it may.
    fn in_module(
        &self,
        module: ModuleId,
        name: &str,
        space: Space,
        viewer: Option<ModuleId>,
        search: &mut Search,
    ) -> Answer {
        let key = (module, name.to_owned(), space);
        search.steps.set(search.steps.get() + 1);
        if search.steps.get() >= MAX_STEPS {
            return Answer { targets: Vec::new(), certain: false };
        }
        if !search.open.insert(key.clone()) {
            return Answer::NOTHING;
        }
        let here = Env { module, frames: &[], sees_variables: false, names: self.names };
        let answer = here.in_open_module(name, space, viewer, search);
        search.open.remove(&key);
        answer
    }

    fn in_open_module(&self, name: &str, space: Space, viewer: Option<ModuleId>, search: &mut Search) -> Answer {
        let module = self.module;
        let krate = self.krate();
        if module == self.root() && self.names.crates[krate].library_of.as_deref() == Some(FACADE) {
            let found = facade(vec![name.to_owned()]);
            if !found.targets.is_empty() {
                return found;
            }
        }
        let mut answer = Answer::NOTHING;
        if space == Space::Type {
            for inner in self.names.inner(module, name) {
                answer.add(Answer::one(Target::Module(*inner)));
            }
        }
        if space == Space::Macro {
            let all = self.names.crates[krate].macros.get(name).into_iter().flatten();
            for (owner, at) in all {
                let is_exported = module == self.root() && self.names.definition(at).is_exported;
                if is_exported || *owner == module && viewer.is_none() {
                    answer.add(self.of_macro(*owner, at, name));
                }
            }
        }
        let mut later = Answer::NOTHING;
        for scope in self.names.scopes(module) {
            answer.add(self.explicit(scope, 0, name, space, viewer, search));
        }
        if answer.targets.is_empty() {
            for scope in self.names.scopes(module) {
                later.add(self.implicit(scope, name, space, viewer, search));
            }
            later.certain &= !self.names.is_open(module);
            answer.add(later);
        }
        answer
    }

    fn in_scope(
        &self,
        scope: &Scope,
        frames: usize,
        name: &str,
        space: Space,
        viewer: Option<ModuleId>,
        search: &mut Search,
    ) -> Answer {
        let mut answer = self.explicit(scope, frames, name, space, viewer, search);
        if space == Space::Type && scope.modules.iter().any(|(inner, _)| inner == name) {
            answer.add(Answer::one(Target::Local));
        }
        if answer.targets.is_empty() {
            answer.add(self.implicit(scope, name, space, viewer, search));
        }
        answer
    }

    fn sees(&self, viewer: Option<ModuleId>, sight: Sight) -> bool {
        let Some(viewer) = viewer else { return true };
        match sight {
            Sight::Public => true,
            Sight::Crate => self.names.modules[viewer].krate == self.krate(),
            Sight::Super => self.names.is_within(viewer, self.parent(self.module)),
            Sight::Private => self.names.is_within(viewer, self.module),
        }
    }

    /// What the items of a scope say.
    fn explicit(
        &self,
        scope: &Scope,
        frames: usize,
        name: &str,
        space: Space,
        viewer: Option<ModuleId>,
        search: &mut Search,
    ) -> Answer {
        let mut answer = Answer::NOTHING;
        for (def, sight) in scope.names.get(name).into_iter().flatten() {
            if !self.sees(viewer, *sight) {
                continue;
            }
            answer.add(match (def, space) {
                (Def::Import(path), _) => self.path(path, space, false, true, search),
                (Def::Alias(path), Space::Type) => self.path(path, space, false, false, search),
                (Def::Type(_), Space::Type) if frames == 0 => Answer::one(Target::Type(self.module, name.to_owned())),
                (Def::Type(_), Space::Type) => Answer::one(Target::Local),
                (Def::Value(value), Space::Value) => Answer::one(Target::Value((**value).clone(), self.module, frames)),
                (Def::Family, Space::Value) => Answer::one(Target::Family),
                (Def::Other, Space::Value) => Answer::one(Target::Local),
                _ => Answer::NOTHING,
            });
        }
        answer
    }

    /// What the globs of a scope bring.
    fn implicit(
        &self,
        scope: &Scope,
        name: &str,
        space: Space,
        viewer: Option<ModuleId>,
        search: &mut Search,
    ) -> Answer {
        let mut answer = Answer { targets: Vec::new(), certain: !scope.opaque.contains(name) };
        for (path, sight) in &scope.globs {
            if !self.sees(viewer, *sight) {
                continue;
            }
            let from = self.path(path, Space::Type, false, true, search);
            answer.certain &= from.certain;
            for target in from.targets {
                answer.add(self.brought(target, name, space, search));
            }
        }
        answer
    }

    fn brought(&self, target: Target, name: &str, space: Space, search: &mut Search) -> Answer {
        match target {
            Target::Module(module) => self.in_module(module, name, space, Some(self.module), search),
            Target::Metrics(path) if path.is_empty() => {
                item(vec![name.to_owned()]).map_or(Answer::NOTHING, |path| Answer::one(Target::Metrics(path)))
            }
            Target::PerhapsMetrics(path) if path.is_empty() => {
                let found = item(vec![name.to_owned()]);
                found.map_or(Answer::NOTHING, |path| Answer::one(Target::PerhapsMetrics(path)))
            }
            Target::Facade(path) if path.is_empty() => facade(vec![name.to_owned()]),
            Target::Other(package, mut path) => {
                if !(OTHER_ITEMS.contains(&name) || name.starts_with("register_") || name.ends_with("Vec")) {
                    return Answer { targets: Vec::new(), certain: space != Space::Value };
                }
                path.push(name.to_owned());
                Answer { targets: vec![Target::Other(package, path)], certain: false }
            }
            Target::Type(module, ty) => {
                let is_variant =
                    |def: &Def| matches!(def, Def::Type(variants) if variants.iter().any(|one| one == name));
                let mut all = self.names.scopes(module).filter_map(|scope| scope.names.get(&ty)).flatten();
                match all.any(|(def, _)| is_variant(def)) {
                    true if space != Space::Macro => Answer::one(Target::Local),
                    _ => Answer::NOTHING,
                }
            }
            Target::Outside(path) => match reexported(path) {
                Target::Metrics(path) if path.is_empty() => self.brought(Target::Metrics(path), name, space, search),
                _ => Answer { targets: Vec::new(), certain: false },
            },
            _ => Answer::NOTHING,
        }
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
