//! Where one name is found: in the blocks around a place, in its module, by imports and globs, and among macros.

use super::{Answer, Env, MAX_STEPS, Search, Space, Target, facade, item, reexported};
use crate::{
    items::{OTHER_ITEMS, is_item},
    manifest::FACADE,
    names::{MacroRef, ModuleId},
    scope::{Def, Scope, Sight},
};

impl Env<'_> {
    /// A name without a path before it.
    pub(super) fn lexical(&self, name: &str, space: Space, by_macro: bool, search: &mut Search) -> Answer {
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

    /// A name in a module. `viewer`: the module whose glob asks for it. It gets only what is visible to it.
    pub(super) fn in_module(
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
