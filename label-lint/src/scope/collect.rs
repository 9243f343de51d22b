//! Reads the facts of items.

use std::collections::HashSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{ImplItem, Item, Meta, Type, Visibility, parse::Parser, spanned::Spanned};

use super::{Associated, Child, Conditions, Def, Facts, Family, Macro, Scope, Sight, conditions, has, idents};
use crate::{
    families,
    value::{self, Path, Value, plain, segments},
};

/// Collects the facts of items.
pub fn collect(items: &[Item], source: &str) -> Facts {
    let mut facts = Facts::default();
    let mut collector = Collector { source, facts: &mut facts, within: Path::new(), conditions: Vec::new() };
    let scope = collector.scope(items.iter());
    facts.scope = scope;
    facts
}

/// The scope of a block.
pub fn of_block<'a>(statements: impl Iterator<Item = &'a syn::Stmt>, source: &str) -> Scope {
    let mut facts = Facts::default();
    let mut collector = Collector { source, facts: &mut facts, within: Path::new(), conditions: Vec::new() };
    let mut scope = Scope::default();
    for statement in statements {
        match statement {
            syn::Stmt::Item(item) => collector.item(&mut scope, item),
            syn::Stmt::Macro(call)
                if matches!(call.mac.delimiter, syn::MacroDelimiter::Brace(_)) && !is_expression_macro(&call.mac) =>
            {
                idents(&call.mac.tokens, &mut scope.opaque);
            }
            _ => {}
        }
    }
    scope
}

/// Macros that define no names where they are called as a statement.
pub fn is_expression_macro(mac: &syn::Macro) -> bool {
    const KNOWN: &[&str] = &[
        "assert",
        "assert_eq",
        "assert_ne",
        "bail",
        "counter",
        "dbg",
        "debug",
        "debug_assert",
        "debug_assert_eq",
        "ensure",
        "eprintln",
        "error",
        "format",
        "gauge",
        "histogram",
        "info",
        "join",
        "panic",
        "print",
        "println",
        "select",
        "todo",
        "trace",
        "try_join",
        "unreachable",
        "vec",
        "warn",
        "write",
        "writeln",
    ];
    mac.path.segments.last().is_some_and(|last| KNOWN.contains(&last.ident.to_string().as_str()))
}

struct Collector<'a> {
    source: &'a str,
    facts: &'a mut Facts,
    /// The inline modules around.
    within: Path,
    /// The `cfg`s of those.
    conditions: Conditions,
}

fn sight(vis: &Visibility) -> Sight {
    match vis {
        Visibility::Public(_) => Sight::Public,
        Visibility::Restricted(to) if to.path.is_ident("self") => Sight::Private,
        Visibility::Restricted(to) if to.path.is_ident("super") => Sight::Super,
        Visibility::Restricted(_) => Sight::Crate,
        Visibility::Inherited => Sight::Private,
    }
}

impl Collector<'_> {
    fn scope<'i>(&mut self, items: impl Iterator<Item = &'i Item>) -> Scope {
        let mut scope = Scope::default();
        items.for_each(|item| self.item(&mut scope, item));
        scope
    }

    fn item(&mut self, scope: &mut Scope, item: &Item) {
        match item {
            Item::Const(item) => {
                let value = value::of_typed(Some(&item.ty), &item.expr);
                scope.define(plain(&item.ident), of_value(value), sight(&item.vis));
            }
            Item::Static(item) => {
                // One that may change says nothing.
                let is_fixed = matches!(item.mutability, syn::StaticMutability::None);
                let value = if is_fixed { value::of_typed(Some(&item.ty), &item.expr) } else { Value::Unknown };
                scope.define(plain(&item.ident), of_value(value), sight(&item.vis));
            }
            Item::Enum(item) => {
                let variants = item.variants.iter().map(|variant| plain(&variant.ident)).collect();
                scope.define(plain(&item.ident), Def::Type(variants), sight(&item.vis));
            }
            Item::Struct(item) => {
                self.fields(&item.fields);
                scope.define(plain(&item.ident), Def::Type(Vec::new()), sight(&item.vis));
            }
            Item::Union(item) => scope.define(plain(&item.ident), Def::Type(Vec::new()), sight(&item.vis)),
            Item::Trait(item) => scope.define(plain(&item.ident), Def::Type(Vec::new()), sight(&item.vis)),
            Item::TraitAlias(item) => scope.define(plain(&item.ident), Def::Type(Vec::new()), sight(&item.vis)),
            Item::Type(item) => {
                let def = match &*item.ty {
                    Type::Path(path) if path.qself.is_none() => Def::Alias(segments(&path.path)),
                    _ => Def::Type(Vec::new()),
                };
                scope.define(plain(&item.ident), def, sight(&item.vis));
            }
            Item::Fn(item) => scope.define(plain(&item.sig.ident), Def::Other, sight(&item.vis)),
            Item::Use(item) => {
                let prefix = item.leading_colon.map(|_| vec!["::".to_owned()]).unwrap_or_default();
                scope.import(prefix, &item.tree, sight(&item.vis));
            }
            Item::ExternCrate(item) => {
                let name = plain(&item.ident);
                let local = item.rename.as_ref().map_or_else(|| name.clone(), |(_, rename)| plain(rename));
                let target = if name == "self" { vec!["crate".to_owned()] } else { vec!["::".to_owned(), name] };
                scope.define(local, Def::Import(target.clone()), sight(&item.vis));
                if has(&item.attrs, "macro_use") {
                    scope.globs.push((target, Sight::Private));
                }
            }
            Item::Impl(item) => of_impl(scope, item),
            Item::Mod(item) => self.module(scope, item),
            Item::Macro(item) => self.of_macro(scope, item),
            _ => {}
        }
    }

    fn module(&mut self, scope: &mut Scope, item: &syn::ItemMod) {
        let name = plain(&item.ident);
        let paths = path_attributes(&item.attrs);
        let outer = self.conditions.len();
        self.conditions.extend(conditions(&item.attrs));
        match &item.content {
            Some((_, items)) => {
                self.within.push(paths.first().cloned().unwrap_or_else(|| name.clone()));
                let inner = self.scope(items.iter());
                self.within.pop();
                scope.modules.push((name, inner));
            }
            None => {
                let (within, conditions) = (self.within.clone(), self.conditions.clone());
                scope.children.push(Child { name, paths, within, conditions });
            }
        }
        self.conditions.truncate(outer);
    }

    fn fields(&mut self, fields: &syn::Fields) {
        for field in fields {
            if let Some(ident) = field.ident.as_ref().filter(|_| value::holds_labels(&field.ty)) {
                self.facts.label_fields.insert(plain(ident));
            }
        }
    }

    fn of_macro(&mut self, scope: &mut Scope, item: &syn::ItemMacro) {
        if let Some(ident) = &item.ident {
            let mut all = HashSet::new();
            idents(&item.mac.tokens, &mut all);
            scope.macros.push(Macro {
                name: plain(ident),
                rules: inside(self.source, &item.mac),
                idents: all,
                is_exported: has(&item.attrs, "macro_export"),
                at: ident.span().byte_range().start,
            });
            return;
        }
        let last = item.mac.path.segments.last().map(|last| plain(&last.ident)).unwrap_or_default();
        match last.as_str() {
            "families" => self.families(scope, item),
            "include" => self.include(scope, &item.mac),
            _ => self.items_within(scope, &item.mac.tokens),
        }
    }

    fn families(&mut self, scope: &mut Scope, item: &syn::ItemMacro) {
        let mac = &item.mac;
        let Ok(block) = families::parse(mac.tokens.clone()) else {
            return idents(&mac.tokens, &mut scope.opaque);
        };
        for family in block {
            let at = family.metric.span();
            let around = self.conditions.iter().cloned();
            self.facts.families.push(Family {
                name: family.metric.value(),
                at: at.byte_range().start,
                line: at.start().line,
                conditions: around.chain(conditions(&item.attrs)).chain(conditions(&family.attributes)).collect(),
            });
            scope.define(plain(&family.name), Def::Family, sight(&family.vis));
        }
    }

    fn include(&mut self, scope: &mut Scope, mac: &syn::Macro) {
        match mac.parse_body::<syn::LitStr>() {
            Ok(path) => scope.includes.push(path.value()),
            Err(_) => {
                self.facts.unread_includes.push(mac.span().byte_range());
                scope.is_open = true;
            }
        }
    }

    /// Macros such as `cfg_if!` pass the items in them on, in braces or as they are.
    fn items_within(&mut self, scope: &mut Scope, tokens: &TokenStream) {
        idents(tokens, &mut scope.opaque);
        if let Ok(file) = (|input: syn::parse::ParseStream<'_>| input.parse::<syn::File>()).parse2(tokens.clone()) {
            return file.items.iter().for_each(|item| self.item(scope, item));
        }
        for token in tokens.clone() {
            if let TokenTree::Group(group) = token
                && group.delimiter() == Delimiter::Brace
                && let Ok(file) = syn::parse2::<syn::File>(group.stream())
            {
                file.items.iter().for_each(|item| self.item(scope, item));
            }
        }
    }
}

fn of_value(value: Value) -> Def {
    if value == Value::Unknown { Def::Other } else { Def::Value(Box::new(value)) }
}

fn of_impl(scope: &mut Scope, item: &syn::ItemImpl) {
    let Type::Path(path) = &*item.self_ty else { return };
    let constants: Vec<_> = item
        .items
        .iter()
        .filter_map(|item| match item {
            ImplItem::Const(constant) => {
                let value = value::of_typed(Some(&constant.ty), &constant.expr);
                Some((plain(&constant.ident), value))
            }
            _ => None,
        })
        .collect();
    if path.qself.is_none() && !constants.is_empty() {
        scope.associated.push(Associated { ty: segments(&path.path), of_trait: item.trait_.is_some(), constants });
    }
}

/// What is between the brackets of a macro call, as text.
fn inside(source: &str, mac: &syn::Macro) -> String {
    let span = match &mac.delimiter {
        syn::MacroDelimiter::Paren(paren) => paren.span,
        syn::MacroDelimiter::Brace(brace) => brace.span,
        syn::MacroDelimiter::Bracket(bracket) => bracket.span,
    };
    source.get(span.open().byte_range().end..span.close().byte_range().start).unwrap_or_default().to_owned()
}

/// The texts of `#[path = ".."]` and `#[cfg_attr(.., path = "..")]`.
fn path_attributes(attributes: &[syn::Attribute]) -> Vec<String> {
    let mut paths = Vec::new();
    for attribute in attributes {
        match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => {
                if let Value::Text(path) = value::of(&pair.value) {
                    paths.push(path);
                }
            }
            Meta::List(list) if list.path.is_ident("cfg_attr") => {
                let tokens: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
                for window in tokens.windows(3) {
                    if let [TokenTree::Ident(key), TokenTree::Punct(_), TokenTree::Literal(text)] = window
                        && key == "path"
                        && let Ok(text) = syn::parse_str::<syn::LitStr>(&text.to_string())
                    {
                        paths.push(text.value());
                    }
                }
            }
            _ => {}
        }
    }
    paths
}
