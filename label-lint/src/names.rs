//! What the names of a tree stand for: imports, constants, statics, re-exports and the dependencies of each package.
//!
//! This is no compiler: the modules of a package are taken from the paths of its files, `cfg` is not evaluated, and an
//! import inside a function counts for its whole module. Where that is not enough, the answer is [`Found::Unknown`].

use std::collections::{HashMap, HashSet};

use syn::{ImplItemConst, ItemConst, ItemImpl, ItemMod, ItemStatic, ItemTrait, Type, UseTree, visit::Visit};

use crate::{
    families,
    value::{self, Path, Value, plain, segments},
};

/// The package behind `metrics::counter!`.
pub const METRICS: &str = "metrics";
/// The package of this workspace's facade.
pub const FACADE: &str = "compozy-monitoring";
/// The package of the Temporal SDK with the module `metrics`, which has the labels of its meter.
const TEMPORAL: &str = "temporalio-common";

/// What a file says about names.
#[derive(Debug, Default)]
pub struct Facts {
    pub items: Vec<(Path, String, Def)>,
    pub globs: Vec<(Path, Path)>,
    pub macros: Vec<String>,
    pub modules: Vec<Path>,
    /// Names in `families!`, with their lines.
    pub families: Vec<(String, usize)>,
}

/// What a name in a module stands for.
#[derive(Clone, Debug)]
pub enum Def {
    /// Another path: an import or a type alias.
    Alias(Path),
    /// A constant or a static.
    Value(Value),
    /// A static of `families!`.
    Family,
    /// Something else of this crate.
    Other,
}

/// Collects the facts of a file whose module is `module`.
pub fn collect(file: &syn::File, module: &[String]) -> Facts {
    let mut collector = Collector { facts: Facts::default(), module: module.to_vec() };
    collector.facts.modules.push(module.to_vec());
    collector.visit_file(file);
    collector.facts
}

struct Collector {
    facts: Facts,
    module: Path,
}

impl Collector {
    /// Keeps what can matter to a label: most constants and types of a tree are none of the linter's business.
    fn define(&mut self, name: String, def: Def) {
        let matters = match &def {
            Def::Value(value) => *value != Value::Unknown,
            Def::Other => ITEMS.contains(&name.as_str()),
            Def::Alias(_) | Def::Family => true,
        };
        if matters {
            self.facts.items.push((self.module.clone(), name, def));
        }
    }

    fn import(&mut self, mut prefix: Path, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(plain(&path.ident));
                self.import(prefix, &path.tree);
            }
            UseTree::Name(name) => {
                let name = plain(&name.ident);
                if name == "self" {
                    let Some(last) = prefix.last().cloned() else { return };
                    return self.define(last, Def::Alias(prefix));
                }
                prefix.push(name.clone());
                self.define(name, Def::Alias(prefix));
            }
            UseTree::Rename(rename) => {
                let name = plain(&rename.ident);
                if name != "self" {
                    prefix.push(name);
                }
                self.define(plain(&rename.rename), Def::Alias(prefix));
            }
            UseTree::Glob(_) => self.facts.globs.push((self.module.clone(), prefix)),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.import(prefix.clone(), item)),
        }
    }

    fn within(&mut self, name: String, run: impl FnOnce(&mut Self)) {
        self.module.push(name);
        self.facts.modules.push(self.module.clone());
        run(self);
        self.module.pop();
    }
}

/// The name of the type that an `impl` block is for.
pub fn self_type(item: &ItemImpl) -> Option<String> {
    let Type::Path(path) = &*item.self_ty else { return None };
    path.path.segments.last().map(|segment| plain(&segment.ident))
}

impl Visit<'_> for Collector {
    fn visit_item_mod(&mut self, item: &ItemMod) {
        self.within(plain(&item.ident), |this| syn::visit::visit_item_mod(this, item));
    }

    fn visit_item_impl(&mut self, item: &ItemImpl) {
        match self_type(item) {
            Some(name) => self.within(name, |this| syn::visit::visit_item_impl(this, item)),
            None => syn::visit::visit_item_impl(self, item),
        }
    }

    fn visit_item_trait(&mut self, item: &ItemTrait) {
        self.within(plain(&item.ident), |this| syn::visit::visit_item_trait(this, item));
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        let prefix = item.leading_colon.map(|_| vec!["::".to_owned()]).unwrap_or_default();
        self.import(prefix, &item.tree);
    }

    fn visit_item_extern_crate(&mut self, item: &syn::ItemExternCrate) {
        let name = plain(&item.ident);
        let local = item.rename.as_ref().map_or_else(|| name.clone(), |(_, rename)| plain(rename));
        let target = if name == "self" { vec!["crate".to_owned()] } else { vec!["::".to_owned(), name] };
        self.define(local, Def::Alias(target.clone()));
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_use")) {
            self.facts.globs.push((self.module.clone(), target));
        }
    }

    fn visit_item_const(&mut self, item: &ItemConst) {
        self.define(plain(&item.ident), Def::Value(value::of_typed(Some(&item.ty), &item.expr)));
        syn::visit::visit_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &ItemStatic) {
        self.define(plain(&item.ident), Def::Value(value::of_typed(Some(&item.ty), &item.expr)));
        syn::visit::visit_item_static(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &ImplItemConst) {
        self.define(plain(&item.ident), Def::Value(value::of_typed(Some(&item.ty), &item.expr)));
        syn::visit::visit_impl_item_const(self, item);
    }

    fn visit_trait_item_const(&mut self, item: &syn::TraitItemConst) {
        if let Some((_, expr)) = &item.default {
            self.define(plain(&item.ident), Def::Value(value::of_typed(Some(&item.ty), expr)));
        }
    }

    fn visit_item_type(&mut self, item: &syn::ItemType) {
        let def = match &*item.ty {
            Type::Path(path) if path.qself.is_none() => Def::Alias(segments(&path.path)),
            _ => Def::Other,
        };
        self.define(plain(&item.ident), def);
    }

    fn visit_item_struct(&mut self, item: &syn::ItemStruct) {
        self.define(plain(&item.ident), Def::Other);
        syn::visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &syn::ItemEnum) {
        self.define(plain(&item.ident), Def::Other);
        syn::visit::visit_item_enum(self, item);
    }

    fn visit_item_macro(&mut self, item: &syn::ItemMacro) {
        if let Some(ident) = &item.ident {
            self.facts.macros.push(plain(ident));
        }
        syn::visit::visit_item_macro(self, item);
    }

    fn visit_macro(&mut self, mac: &syn::Macro) {
        if mac.path.segments.last().is_some_and(|segment| segment.ident == "families")
            && let Ok(block) = families::parse(mac.tokens.clone())
        {
            for family in block {
                self.facts.families.push((family.metric.value(), family.metric.span().start().line));
                self.define(plain(&family.name), Def::Family);
            }
        }
    }
}

/// A package that a crate names.
#[derive(Clone, Debug, PartialEq)]
pub enum Extern {
    Metrics,
    Facade,
    Temporal,
    Package(String),
}

impl Extern {
    pub fn of(package: &str) -> Self {
        match package {
            METRICS => Self::Metrics,
            FACADE => Self::Facade,
            TEMPORAL => Self::Temporal,
            other => Self::Package(other.to_owned()),
        }
    }
}

#[derive(Debug, Default)]
struct Module {
    items: HashMap<String, Vec<Def>>,
    globs: Vec<Path>,
}

/// The names of one unit: the sources of a package, or its tests, or a file that has no package.
#[derive(Debug, Default)]
pub struct Unit {
    /// The name of the package, when the unit is its library.
    pub package: Option<String>,
    pub externs: HashMap<String, Extern>,
    /// Whether there is a manifest that lists the dependencies.
    pub has_manifest: bool,
    modules: HashMap<Path, Module>,
    macros: HashSet<String>,
    /// Constants by their last segment.
    constants: HashMap<String, Vec<(Path, Value)>>,
    /// Metric names in `families!`: the root below the unit, the file and the line of each.
    pub families: HashMap<String, Vec<(String, usize, usize)>>,
}

impl Unit {
    /// Adds the facts of the file with this number, which belongs to the crate root `root` of the unit.
    pub fn add(&mut self, facts: Facts, root: &str, file: usize) {
        for module in facts.modules {
            self.modules.entry(module).or_default();
        }
        for (module, name, def) in facts.items {
            if let Def::Value(value) = &def {
                self.constants.entry(name.clone()).or_default().push((module.clone(), value.clone()));
            }
            self.modules.entry(module).or_default().items.entry(name).or_default().push(def);
        }
        for (module, glob) in facts.globs {
            self.modules.entry(module).or_default().globs.push(glob);
        }
        self.macros.extend(facts.macros);
        for (metric, line) in facts.families {
            self.families.entry(metric).or_default().push((root.to_owned(), file, line));
        }
    }
}

/// What a path stands for.
#[derive(Debug)]
pub enum Found<'a> {
    /// An item of `metrics`.
    Metrics(Path),
    /// An item of the facade.
    Facade(Path),
    /// A constant, a static or a family, and the unit and the module it is in.
    Def(&'a Def, usize, Path),
    /// Something of the tree itself.
    Local,
    Unknown,
}

impl Found<'_> {
    const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

/// What the linter knows of both packages, and of the Temporal SDK's module `metrics`: a glob import brings nothing else.
const ITEMS: &[&str] = &[
    "counter",
    "gauge",
    "histogram",
    "describe_counter",
    "describe_gauge",
    "describe_histogram",
    "key_var",
    "families",
    "Label",
    "Key",
    "MetricKeyValue",
];

/// The names of all units.
#[derive(Debug, Default)]
pub struct Names {
    pub units: Vec<Unit>,
    /// The unit of each package's library.
    pub libraries: HashMap<String, usize>,
}

/// How many steps one path may take, and how long it may get on the way.
const MAX_STEPS: usize = 256;
const MAX_SEGMENTS: usize = 16;

type Visited = HashSet<(usize, Path, Path)>;

impl Names {
    /// What a path stands for in a module of a unit.
    pub fn resolve(&self, unit: usize, module: &[String], path: &[String]) -> Found<'_> {
        self.lookup(unit, module, path, false, &mut Visited::new())
    }

    /// `imported`: whether the path is that of an import of its own first segment, which then means a package.
    fn lookup(&self, unit: usize, module: &[String], path: &[String], imported: bool, seen: &mut Visited) -> Found<'_> {
        let Some((first, rest)) = path.split_first() else { return Found::Unknown };
        match first.as_str() {
            "::" => self.external(unit, rest, seen),
            "crate" | "$crate" => match self.inside(unit, &[], rest, seen) {
                Found::Unknown => self.inside(unit, module, rest, seen),
                found => found,
            },
            "self" => self.inside(unit, module, rest, seen),
            "super" => self.inside(unit, parent(module), rest, seen),
            _ => {
                let mut found = Found::Unknown;
                if !imported {
                    found = self.inside(unit, module, path, seen);
                }
                if !found.is_known() {
                    found = self.external(unit, path, seen);
                }
                // A test or a binary is a crate of its own: its root is a module of the unit.
                if !found.is_known() && !module.is_empty() {
                    found = self.inside(unit, &module[..1], path, seen);
                }
                if !found.is_known() && !module.is_empty() && !imported {
                    found = self.inside(unit, &[], path, seen);
                }
                found
            }
        }
    }

    fn inside(&self, unit: usize, module: &[String], path: &[String], seen: &mut Visited) -> Found<'_> {
        let Some((first, rest)) = path.split_first() else { return Found::Unknown };
        // Imports that go round in a circle may also grow the path on their way.
        if path.len() > MAX_SEGMENTS || seen.len() == MAX_STEPS || !seen.insert((unit, module.to_vec(), path.to_vec()))
        {
            return Found::Unknown;
        }
        match first.as_str() {
            "super" => return self.inside(unit, parent(module), rest, seen),
            "self" => return self.inside(unit, module, rest, seen),
            _ => {}
        }
        let here = &self.units[unit];
        if module.is_empty() && here.package.as_deref() == Some(FACADE) {
            let found = facade(path);
            if found.is_known() {
                return found;
            }
        }
        let Some(scope) = here.modules.get(module) else { return Found::Unknown };
        let mut local = false;
        for def in scope.items.get(first).into_iter().flatten() {
            let found = match def {
                Def::Alias(target) => {
                    let imported = target.first() == Some(first);
                    self.lookup(unit, module, &[target, rest].concat(), imported, seen)
                }
                Def::Value(_) | Def::Family if rest.is_empty() => Found::Def(def, unit, module.to_vec()),
                _ => {
                    local = true;
                    Found::Unknown
                }
            };
            if found.is_known() {
                return found;
            }
        }
        let below = [module, std::slice::from_ref(first)].concat();
        if !rest.is_empty() && here.modules.contains_key(&below) {
            let found = self.inside(unit, &below, rest, seen);
            if found.is_known() {
                return found;
            }
            local = true;
        }
        for glob in &scope.globs {
            let found = self.lookup(unit, module, &[glob, path].concat(), false, seen);
            if found.is_known() {
                return found;
            }
        }
        if local || rest.is_empty() && here.macros.contains(first) { Found::Local } else { Found::Unknown }
    }

    fn external(&self, unit: usize, path: &[String], seen: &mut Visited) -> Found<'_> {
        let Some((first, rest)) = path.split_first() else { return Found::Unknown };
        let here = &self.units[unit];
        match here.externs.get(first) {
            Some(Extern::Metrics) => item(rest),
            Some(Extern::Facade) => facade(rest),
            Some(Extern::Temporal) => reexported(rest),
            Some(Extern::Package(package)) => match self.libraries.get(package) {
                Some(library) => match self.inside(*library, &[], rest, seen) {
                    Found::Unknown => reexported(rest),
                    found => found,
                },
                None => reexported(rest),
            },
            None if !here.has_manifest => reexported(rest),
            None => Found::Unknown,
        }
    }

    /// Whether a crate has a macro of this name of its own.
    pub fn has_macro(&self, unit: usize, name: &str) -> bool {
        self.units[unit].macros.contains(name)
    }

    /// The constants of the unit that end in the path, whatever their module.
    pub fn constants(&self, unit: usize, path: &[String]) -> Vec<(&Value, Path)> {
        let Some((last, before)) = path.split_last() else { return Vec::new() };
        let outer =
            before.iter().rposition(|segment| ["crate", "$crate", "self", "super", "::"].contains(&segment.as_str()));
        let wanted = &before[outer.map_or(0, |at| at + 1)..];
        let all = self.units[unit].constants.get(last).into_iter().flatten();
        all.filter(|(module, _)| module.ends_with(wanted)).map(|(module, value)| (value, module.clone())).collect()
    }
}

fn parent(module: &[String]) -> &[String] {
    module.split_last().map_or(module, |(_, before)| before)
}

fn item(path: &[String]) -> Found<'static> {
    match path.first() {
        Some(first) if ITEMS.contains(&first.as_str()) => Found::Metrics(path.to_vec()),
        _ => Found::Unknown,
    }
}

fn facade(path: &[String]) -> Found<'static> {
    match path.split_first() {
        Some((first, rest)) if first == METRICS => item(rest),
        Some((first, _)) if ITEMS.contains(&first.as_str()) => Found::Facade(path.to_vec()),
        _ => Found::Unknown,
    }
}

/// An item behind another package's `pub use metrics`.
fn reexported(path: &[String]) -> Found<'static> {
    path.iter().position(|segment| segment == METRICS).map_or(Found::Unknown, |at| item(&path[at + 1..]))
}
