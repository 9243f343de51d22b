//! What a file says about names: one [`Scope`] for each of its modules, and for each block when it is checked.

mod collect;

use std::collections::{HashMap, HashSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Meta, UseTree};

use crate::value::{Path, Value, plain};

pub use self::collect::{collect, is_expression_macro, of_block};

/// What a name in a scope stands for.
#[derive(Clone, Debug)]
pub enum Def {
    /// Another path: an import.
    Import(Path),
    /// Another type: a type alias.
    Alias(Path),
    /// A constant or a static.
    Value(Box<Value>),
    /// A static of `families!`.
    Family,
    /// A type, with the names of its variants.
    Type(Vec<String>),
    /// Another value: a function.
    Other,
}

/// Who sees a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The module and those in it.
    Private,
    /// The module above and those in it.
    Super,
    Crate,
    Public,
}

/// A `macro_rules!` definition.
#[derive(Debug)]
pub struct Macro {
    pub name: String,
    /// Its rules, as text.
    pub rules: String,
    /// Identifiers in its rules.
    pub idents: HashSet<String>,
    pub is_exported: bool,
    /// The first byte of its name.
    pub at: usize,
}

impl Macro {
    fn moved(self, base: usize) -> Self {
        Self { at: self.at + base, ..self }
    }
}

/// A `mod name;`
#[derive(Debug)]
pub struct Child {
    pub name: String,
    /// Of `#[path = ".."]`.
    pub paths: Vec<String>,
    /// The inline modules around it, which are directories.
    pub within: Path,
    pub conditions: Conditions,
}

/// The names of a module or a block.
#[derive(Debug, Default)]
pub struct Scope {
    pub names: HashMap<String, Vec<(Def, Sight)>>,
    pub globs: Vec<(Path, Sight)>,
    pub macros: Vec<Macro>,
    /// Identifiers in item macros that are not expanded: what these define is not known.
    pub opaque: HashSet<String>,
    /// Whether a part of the scope could not be read at all.
    pub is_open: bool,
    /// Modules in it.
    pub modules: Vec<(String, Self)>,
    pub children: Vec<Child>,
    /// Files that are included, as written.
    pub includes: Vec<String>,
    /// Files that functions include.
    pub body_includes: Vec<String>,
    pub associated: Vec<Associated>,
}

/// The constants in an `impl`.
#[derive(Clone, Debug)]
pub struct Associated {
    /// The type, as it is written.
    pub ty: Path,
    /// Whether a trait gives them.
    pub of_trait: bool,
    pub constants: Vec<(String, Value)>,
}

/// A name in `families!`.
#[derive(Clone, Debug)]
pub struct Family {
    pub name: String,
    /// The byte and the line where it stands.
    pub at: usize,
    pub line: usize,
    /// The `cfg`s around it.
    pub conditions: Conditions,
}

/// What `#[cfg(..)]`s say, without spaces.
pub type Conditions = Vec<String>;

fn conditions(attributes: &[syn::Attribute]) -> impl Iterator<Item = String> {
    attributes.iter().filter(|one| one.path().is_ident("cfg")).filter_map(|one| match &one.meta {
        Meta::List(list) => Some(list.tokens.to_string().replace(char::is_whitespace, "")),
        _ => None,
    })
}

/// Whether no build has both: one is under `not(..)` of what the other is under.
pub fn are_opposite(a: &Conditions, b: &Conditions) -> bool {
    let negates = |a: &Conditions, b: &Conditions| a.iter().any(|a| b.iter().any(|b| *a == format!("not({b})")));
    negates(a, b) || negates(b, a)
}

/// What a file says about names.
#[derive(Debug, Default)]
pub struct Facts {
    pub scope: Scope,
    pub families: Vec<Family>,
    /// Fields of structs that hold `Label`s.
    pub label_fields: HashSet<String>,
    /// The places of `include!` whose file is only known to the build.
    pub unread_includes: Vec<std::ops::Range<usize>>,
}

impl Facts {
    /// Whether other files are included, which have to be looked at.
    pub fn includes(&self) -> bool {
        fn within(scope: &Scope) -> bool {
            let own = !scope.includes.is_empty() || !scope.body_includes.is_empty();
            own || scope.modules.iter().any(|(_, inner)| within(inner))
        }
        within(&self.scope)
    }

    /// Adds the facts of the next piece of the file, which starts at this byte, after so many lines.
    pub fn add(&mut self, other: Self, base: usize, lines: usize) {
        self.scope.add(other.scope, base);
        let families = other.families.into_iter();
        self.families.extend(families.map(|one| Family { at: one.at + base, line: one.line + lines, ..one }));
        self.label_fields.extend(other.label_fields);
        let moved = |range: std::ops::Range<usize>| range.start + base..range.end + base;
        self.unread_includes.extend(other.unread_includes.into_iter().map(moved));
    }
}

pub fn idents(tokens: &TokenStream, all: &mut HashSet<String>) {
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(ident) => {
                all.insert(plain(&ident));
            }
            TokenTree::Group(group) => idents(&group.stream(), all),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

impl Scope {
    fn add(&mut self, other: Self, base: usize) {
        for (name, mut defs) in other.names {
            self.names.entry(name).or_default().append(&mut defs);
        }
        self.globs.extend(other.globs);
        self.macros.extend(other.macros.into_iter().map(|one| one.moved(base)));
        self.opaque.extend(other.opaque);
        self.is_open |= other.is_open;
        self.modules.extend(other.modules.into_iter().map(|(name, scope)| {
            let mut moved = Self::default();
            moved.add(scope, base);
            (name, moved)
        }));
        self.children.extend(other.children);
        self.includes.extend(other.includes);
        self.body_includes.extend(other.body_includes);
        self.associated.extend(other.associated);
    }

    fn define(&mut self, name: String, def: Def, sight: Sight) {
        self.names.entry(name).or_default().push((def, sight));
    }

    fn import(&mut self, mut prefix: Path, tree: &UseTree, sight: Sight) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(plain(&path.ident));
                self.import(prefix, &path.tree, sight);
            }
            UseTree::Name(name) => {
                let name = plain(&name.ident);
                if name == "self" {
                    let Some(last) = prefix.last().cloned() else { return };
                    return self.define(last, Def::Import(prefix), sight);
                }
                prefix.push(name.clone());
                self.define(name, Def::Import(prefix), sight);
            }
            UseTree::Rename(rename) => {
                let name = plain(&rename.ident);
                if name != "self" {
                    prefix.push(name);
                }
                self.define(plain(&rename.rename), Def::Import(prefix), sight);
            }
            UseTree::Glob(_) => self.globs.push((prefix, sight)),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.import(prefix.clone(), item, sight)),
        }
    }
}

/// Whether an item has an attribute of this name, also under `cfg_attr`.
pub fn has(attributes: &[syn::Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident(name)
            || attribute.path().is_ident("cfg_attr") && {
                let mut all = HashSet::new();
                if let Meta::List(list) = &attribute.meta {
                    idents(&list.tokens, &mut all);
                }
                all.contains(name)
            }
    })
}
