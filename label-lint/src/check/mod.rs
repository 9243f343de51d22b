//! Finds the places of a file that attach a label or name a family, and holds them against the rules.
//!
//! This module walks through the file and keeps what is around each place; `calls` knows the ways to attach a label,
//! `foreign` those of other packages, and `rules` what a name and a label may be.

mod calls;
mod foreign;
mod rules;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
    rc::Rc,
    sync::Arc,
};

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Expr, FnArg, Pat, Token, Type, parse::Parser, punctuated::Punctuated, spanned::Spanned, visit::Visit};

use crate::{
    eval::Known,
    expand,
    finding::{Finding, Text},
    names::{ModuleId, Names},
    resolve::{Answer, Env, Frame, Space},
    scope,
    tokens::{self, Call},
    value::{self, Path, Value, plain, segments},
};

/// Words without one of which a file has nothing to check.
pub const WORDS: &[&str] = &[
    "counter",
    "gauge",
    "histogram",
    "Label",
    "Key",
    "families",
    "extra_labels",
    "into_labels",
    "key_var",
    "label-lint:",
    "global_label",
    "_vec!",
    "Vec::new",
    "labels!",
    "const_label",
];

/// Where a file stands in the tree.
pub struct Context<'a> {
    pub names: &'a Names,
    /// The number of the file.
    pub file: usize,
    pub display: Arc<str>,
    /// What every file is called, by number, and how to find a line in it.
    pub displays: &'a [Arc<str>],
    /// The application's own labels.
    pub extension: &'a str,
    /// Names that may stand for something of `metrics` or the facade.
    pub words: &'a HashSet<String>,
    /// Where the text of a large file starts that was cut in pieces.
    pub base: usize,
}

/// A macro of the tree, by its file and the first byte of its name.
pub type MacroId = (usize, usize);

/// What a check gave.
#[derive(Default)]
pub struct Checked {
    pub findings: Vec<Finding>,
    /// Macros that were expanded where they are called.
    pub expanded: BTreeSet<MacroId>,
    pub metrics: usize,
    pub labels: usize,
    /// Other packages' ways to attach labels that are not looked at.
    pub not_looked_at: BTreeSet<&'static str>,
}

/// Checks a file as one module; `allow` comments are not yet heeded.
pub fn check(context: &Context<'_>, module: ModuleId, text: &Text<'_>, items: &[syn::Item], checked: &mut Checked) {
    let mut checker = Checker {
        context,
        text,
        module,
        self_type: None,
        frames: Vec::new(),
        twins: HashMap::new(),
        expansion: Vec::new(),
        definition: None,
        rules: HashMap::new(),
        budget: MAX_EXPANSIONS,
        returns: Vec::new(),
        body: None,
        checked: std::mem::take(checked),
    };
    items.iter().for_each(|item| checker.visit_item(item));
    *checked = checker.checked;
}

/// How deep macros may call each other, and how many calls of one file are expanded.
const MAX_DEPTH: usize = 12;
const MAX_EXPANSIONS: usize = 20_000;

struct Checker<'a> {
    context: &'a Context<'a>,
    text: &'a Text<'a>,
    module: ModuleId,
    /// What `Self` is, within an `impl`.
    self_type: Option<Path>,
    frames: Vec<Frame>,
    /// How many inline modules of one name were met.
    twins: HashMap<(ModuleId, String), usize>,
    /// The calls of macros that are being expanded.
    expansion: Vec<Range<usize>>,
    /// The macro whose definition is being looked at.
    definition: Option<MacroId>,
    rules: HashMap<MacroId, Option<Rc<Vec<expand::Rule>>>>,
    budget: usize,
    /// The types of the functions around.
    returns: Vec<Option<Type>>,
    /// The type of the function whose body comes next.
    body: Option<Type>,
    checked: Checked,
}

fn expressions(tokens: TokenStream) -> Option<Vec<Expr>> {
    let parsed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens);
    parsed.ok().map(|all| all.into_iter().collect())
}

/// Where it is.
impl Checker<'_> {
    fn env(&self) -> Env<'_> {
        Env { names: self.context.names, module: self.module, frames: &self.frames, sees_variables: true }
    }

    fn resolve(&self, path: &[String], space: Space) -> Answer {
        match (path.split_first(), &self.self_type) {
            (Some((first, rest)), Some(name)) if first == "Self" => {
                self.env().resolve(&[name, rest].concat(), space, false)
            }
            (Some((first, _)), None) if first == "Self" => Answer { targets: Vec::new(), certain: false },
            _ => self.env().resolve(path, space, false),
        }
    }

    fn known(&self, value: &Value) -> Known {
        match value {
            Value::Path(path, by_macro) if path.first().is_some_and(|first| first == "Self") => match &self.self_type {
                Some(name) => self.env().eval(&Value::Path([name.as_slice(), &path[1..]].concat(), *by_macro)),
                None => Known::Unknown,
            },
            _ => self.env().eval(value),
        }
    }

    /// Whether a name may stand for something of `metrics` or the facade: most do not, and are not looked up.
    fn may_matter(&self, path: &[String]) -> bool {
        path.iter().any(|name| self.context.words.contains(name)) || self.is_of_block(path)
    }

    /// Whether a path starts with a name of a block around, which no list of the tree's names has.
    fn is_of_block(&self, path: &[String]) -> bool {
        let Some(first) = path.first() else { return false };
        let scopes = self.frames.iter().filter_map(|frame| frame.scope.as_ref());
        let mut has =
            scopes.map(|scope| scope.names.contains_key(first) || scope.macros.iter().any(|one| one.name == *first));
        has.any(|has| has)
    }

    /// The source that places are counted in.
    fn source(&self) -> &str {
        if self.expansion.is_empty() { self.text.source.get(self.context.base..).unwrap_or_default() } else { "" }
    }

    /// The place of syntax; none if the definition of a macro wrote it, which is checked where it stands.
    fn place(&self, at: &impl ToTokens) -> Option<Range<usize>> {
        let range =
            if self.expansion.is_empty() { at.span().byte_range() } else { tokens::place(at.to_token_stream())? };
        Some(range.start + self.context.base..range.end + self.context.base)
    }

    /// The call of the outermost macro that is being expanded.
    fn call_place(&self) -> Option<Range<usize>> {
        self.expansion.first().map(|range| range.start + self.context.base..range.end + self.context.base)
    }
}

/// Frames.
impl Checker<'_> {
    fn within(&mut self, frame: Frame, run: impl FnOnce(&mut Self)) {
        self.frames.push(frame);
        run(self);
        self.frames.pop();
    }

    /// Binds the names of a pattern: to the value if it is a name alone.
    fn bind(&mut self, pat: &Pat, known: &Known) {
        let (pat, known) = match (pat, known) {
            (Pat::Type(typed), known) => (&*typed.pat, known),
            (Pat::Reference(inner), known) => (&*inner.pat, known),
            other => other,
        };
        if let (Pat::Tuple(tuple), Known::Pair(name)) = (pat, known)
            && tuple.elems.len() == 2
        {
            self.bind(&tuple.elems[0], name);
            return self.bind(&tuple.elems[1], &Known::Unknown);
        }
        let is_name = matches!(pat, Pat::Ident(ident) if ident.subpat.is_none());
        struct Idents(Vec<proc_macro2::Ident>);
        impl Visit<'_> for Idents {
            fn visit_pat_ident(&mut self, pat: &syn::PatIdent) {
                self.0.push(pat.ident.clone());
                syn::visit::visit_pat_ident(self, pat);
            }
        }
        let mut idents = Idents(Vec::new());
        idents.visit_pat(pat);
        let Some(frame) = self.frames.last_mut() else { return };
        // What a macro within a macro binds is told apart from the names of the call only.
        let depth = self.expansion.len();
        for ident in idents.0 {
            let by_macro = depth > 0 && ident.span().byte_range().is_empty();
            let known = if is_name && !(by_macro && depth > 1) { known.clone() } else { Known::Unknown };
            frame.variables.insert((plain(&ident), by_macro), known);
        }
    }

    fn function(&mut self, signature: &syn::Signature, block: Option<&syn::Block>) {
        let mut frame = Frame { is_barrier: true, ..Frame::default() };
        frame.types.extend(signature.generics.type_params().map(|param| plain(&param.ident)));
        self.within(frame, |this| {
            for input in &signature.inputs {
                if let FnArg::Typed(typed) = input {
                    let value = if value::holds_labels(&typed.ty) { value::some_labels() } else { Value::Unknown };
                    let known = this.known(&value);
                    this.bind(&typed.pat, &known);
                }
            }
            let returns = match &signature.output {
                syn::ReturnType::Type(_, ty) => Some((**ty).clone()),
                syn::ReturnType::Default => None,
            };
            this.returns.push(returns.clone());
            if let Some(block) = block {
                this.body = returns;
                this.visit_block(block);
            }
            this.returns.pop();
        });
    }

    /// Goes through an item that has generics, which are types of their own.
    fn generic(&mut self, generics: &syn::Generics, run: impl FnOnce(&mut Self)) {
        let types = generics.type_params().map(|param| plain(&param.ident)).collect();
        self.within(Frame { is_barrier: true, types, ..Frame::default() }, run);
    }

    /// Tokens that nobody understands: variables may be others there, and constants that they define are not known.
    fn unordered(&mut self, tokens: TokenStream) {
        let mut unknown = HashSet::new();
        tokens::defined(tokens.clone(), &mut unknown);
        self.within(Frame { is_barrier: true, unknown, ..Frame::default() }, |this| {
            tokens::search(tokens, &mut |call, at| this.found(call, at));
        });
    }

    /// A call found in such tokens; says whether to look within.
    fn found(&mut self, call: Call, at: Span) -> bool {
        match call {
            Call::Macro(path, arguments) => !self.macro_call(&path, &arguments, at),
            Call::Function(path, arguments) => {
                if let Some(arguments) = expressions(arguments) {
                    self.function_call(&path, &arguments.iter().collect::<Vec<_>>());
                }
                true
            }
            Call::Method(receiver, method, arguments) => {
                if let Some(arguments) = expressions(arguments) {
                    self.method_call(&receiver, None, &method, &arguments.iter().collect::<Vec<_>>());
                }
                true
            }
        }
    }

    /// What a macro call became.
    fn expanded(&mut self, tokens: TokenStream) {
        let statements = syn::Block::parse_within.parse2(tokens.clone());
        if let Ok(statements) = statements {
            let frame = Frame { scope: Some(scope::of_block(statements.iter(), "")), ..Frame::default() };
            return self.within(frame, |this| statements.iter().for_each(|statement| this.visit_stmt(statement)));
        }
        if let Ok(file) = syn::parse2::<syn::File>(tokens.clone()) {
            let facts = scope::collect(&file.items, "");
            let frame = Frame { scope: Some(facts.scope), ..Frame::default() };
            return self.within(frame, |this| file.items.iter().for_each(|item| this.visit_item(item)));
        }
        match expressions(tokens.clone()) {
            Some(all) => all.iter().for_each(|expr| self.visit_expr(expr)),
            None => self.unordered(tokens),
        }
    }
}

/// Macros of the standard library, and a few of everybody's, whose arguments are expressions and nothing else.
const ORDINARY: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "concat",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
    "anyhow",
    "bail",
    "ensure",
    "join",
    "try_join",
    "pin",
    "block_on",
];

impl Visit<'_> for Checker<'_> {
    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        let Some((_, items)) = &item.content else { return };
        let name = plain(&item.ident);
        let names = self.context.names;
        let nth = self.twins.entry((self.module, name.clone())).or_default();
        let all: Vec<ModuleId> =
            names.inner(self.module, &name).iter().copied().filter(|id| names.is_in(*id, self.context.file)).collect();
        let found = all.get(*nth).or(all.last()).copied();
        *nth += 1;
        match found.filter(|_| self.frames.is_empty()) {
            Some(module) => {
                let outer = std::mem::replace(&mut self.module, module);
                items.iter().for_each(|item| self.visit_item(item));
                self.module = outer;
            }
            None => {
                let scope = scope::collect(items, self.source()).scope;
                let frame = Frame { scope: Some(scope), is_barrier: true, ..Frame::default() };
                self.within(frame, |this| items.iter().for_each(|item| this.visit_item(item)));
            }
        }
    }

    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        let ty = match &*item.self_ty {
            Type::Path(path) if path.qself.is_none() => Some(segments(&path.path)),
            _ => None,
        };
        let outer = std::mem::replace(&mut self.self_type, ty);
        self.generic(&item.generics, |this| syn::visit::visit_item_impl(this, item));
        self.self_type = outer;
    }

    fn visit_item_trait(&mut self, item: &syn::ItemTrait) {
        let outer = self.self_type.take();
        self.generic(&item.generics, |this| syn::visit::visit_item_trait(this, item));
        self.self_type = outer;
    }

    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        let outer = self.self_type.take();
        self.function(&item.sig, Some(&item.block));
        self.self_type = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.function(&item.sig, Some(&item.block));
    }

    fn visit_trait_item_fn(&mut self, item: &syn::TraitItemFn) {
        self.function(&item.sig, item.default.as_ref());
    }

    fn visit_item_const(&mut self, item: &syn::ItemConst) {
        self.within(Frame { is_barrier: true, ..Frame::default() }, |this| {
            this.visit_expr(&item.expr);
            this.typed(&item.ty, &item.expr);
        });
    }

    fn visit_item_static(&mut self, item: &syn::ItemStatic) {
        self.within(Frame { is_barrier: true, ..Frame::default() }, |this| {
            this.visit_expr(&item.expr);
            this.typed(&item.ty, &item.expr);
        });
    }

    fn visit_item_struct(&mut self, item: &syn::ItemStruct) {
        self.derived(&item.attrs, &item.fields);
        syn::visit::visit_item_struct(self, item);
    }

    fn visit_item_macro(&mut self, item: &syn::ItemMacro) {
        match &item.ident {
            Some(ident) if item.mac.path.is_ident("macro_rules") => {
                let start = ident.span().byte_range().start + self.context.base;
                let outer = self.definition.replace((self.context.file, start));
                self.unordered(tokens::without_variables(item.mac.tokens.clone()));
                self.definition = outer;
            }
            _ => self.visit_macro(&item.mac),
        }
    }

    fn visit_macro(&mut self, mac: &syn::Macro) {
        let path = segments(&mac.path);
        if self.macro_call(&path, &mac.tokens, mac.path.span()) {
            return;
        }
        let is_ordinary = path.last().is_some_and(|last| ORDINARY.contains(&last.as_str()));
        match expressions(mac.tokens.clone()).filter(|_| is_ordinary) {
            Some(all) => all.iter().for_each(|expr| self.visit_expr(expr)),
            None => self.unordered(mac.tokens.clone()),
        }
    }

    fn visit_block(&mut self, block: &syn::Block) {
        let frame = Frame { scope: Some(scope::of_block(block.stmts.iter(), self.source())), ..Frame::default() };
        let body = self.body.take();
        self.within(frame, |this| {
            block.stmts.iter().for_each(|statement| this.visit_stmt(statement));
            if let (Some(ty), Some(syn::Stmt::Expr(tail, None))) = (body, block.stmts.last()) {
                this.typed(&ty, tail);
            }
        });
    }

    fn visit_local(&mut self, local: &syn::Local) {
        let ty = match &local.pat {
            Pat::Type(typed) => Some(&*typed.ty),
            _ => None,
        };
        let Some(init) = &local.init else {
            return self.bind(&local.pat, &Known::Unknown);
        };
        self.visit_expr(&init.expr);
        if let Some((_, diverge)) = &init.diverge {
            self.visit_expr(diverge);
        }
        let pat = match &local.pat {
            Pat::Type(typed) => &*typed.pat,
            pat => pat,
        };
        let mut known = self.known(&value::of_typed(ty, &init.expr));
        if let Some(ty) = ty
            && self.typed(ty, &init.expr)
        {
            known = built(known);
        }
        if matches!(pat, Pat::Ident(ident) if ident.mutability.is_some()) {
            known = grown(known);
        }
        self.bind(&local.pat, &known);
    }

    fn visit_arm(&mut self, arm: &syn::Arm) {
        self.within(Frame::default(), |this| {
            this.bind(&arm.pat, &Known::Unknown);
            syn::visit::visit_arm(this, arm);
        });
    }

    fn visit_expr_closure(&mut self, closure: &syn::ExprClosure) {
        self.within(Frame::default(), |this| {
            for input in &closure.inputs {
                let is_labels = matches!(input, Pat::Type(typed) if value::holds_labels(&typed.ty));
                let known = this.known(&if is_labels { value::some_labels() } else { Value::Unknown });
                this.bind(input, &known);
            }
            this.returns.push(None);
            this.visit_expr(&closure.body);
            this.returns.pop();
        });
    }

    fn visit_expr_for_loop(&mut self, looped: &syn::ExprForLoop) {
        self.visit_expr(&looped.expr);
        let known = match self.known(&value::of(&looped.expr)) {
            Known::List(all) => any_of(all),
            _ => Known::Unknown,
        };
        self.within(Frame::default(), |this| {
            this.bind(&looped.pat, &known);
            this.visit_block(&looped.body);
        });
    }

    fn visit_expr_let(&mut self, binding: &syn::ExprLet) {
        self.visit_expr(&binding.expr);
        self.bind(&binding.pat, &Known::Unknown);
    }

    fn visit_expr_if(&mut self, branch: &syn::ExprIf) {
        self.within(Frame::default(), |this| {
            this.visit_expr(&branch.cond);
            this.visit_block(&branch.then_branch);
        });
        if let Some((_, other)) = &branch.else_branch {
            self.visit_expr(other);
        }
    }

    fn visit_expr_while(&mut self, looped: &syn::ExprWhile) {
        self.within(Frame::default(), |this| {
            this.visit_expr(&looped.cond);
            this.visit_block(&looped.body);
        });
    }

    fn visit_expr_return(&mut self, returned: &syn::ExprReturn) {
        if let (Some(expr), Some(Some(ty))) = (&returned.expr, self.returns.last().cloned()) {
            self.typed(&ty, expr);
        }
        syn::visit::visit_expr_return(self, returned);
    }

    fn visit_expr_call(&mut self, call: &syn::ExprCall) {
        if let Expr::Path(path) = &*call.func {
            self.function_call(&value::qualified(path), &call.args.iter().collect::<Vec<_>>());
        }
        syn::visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        let receiver = match &*call.receiver {
            Expr::Path(path) => segments(&path.path),
            _ => Path::new(),
        };
        let arguments: Vec<&Expr> = call.args.iter().collect();
        self.method_call(&receiver, Some(call), &plain(&call.method), &arguments);
        syn::visit::visit_expr_method_call(self, call);
    }
}

/// One of the elements of a list.
fn any_of(all: Vec<Known>) -> Known {
    let mut texts = Vec::new();
    let mut pairs = Vec::new();
    for one in all {
        match one {
            Known::Texts(more) => texts.extend(more),
            Known::Pair(name) => match *name {
                Known::Texts(more) => pairs.extend(more),
                _ => return Known::Unknown,
            },
            _ => return Known::Unknown,
        }
    }
    match (texts.is_empty(), pairs.is_empty()) {
        (false, true) => Known::Texts(texts),
        (true, false) => Known::Pair(Box::new(Known::Texts(pairs))),
        _ => Known::Unknown,
    }
}

/// The labels of a variable whose type says that they are `Label`s: the pairs in it were checked.
fn built(known: Known) -> Known {
    match known {
        Known::List(all) => Known::List(
            all.into_iter()
                .map(|one| match one {
                    Known::Pair(name) => Known::Built(name),
                    other => other,
                })
                .collect(),
        ),
        other => other,
    }
}

/// The value of a variable that may change: a list of `Label`s gets more of them, each checked where it is built.
fn grown(known: Known) -> Known {
    match known {
        Known::List(mut labels) => {
            if labels.is_empty() || labels.iter().any(|label| !matches!(label, Known::Built(_))) {
                labels.push(Known::Unknown);
            }
            Known::List(labels)
        }
        _ => Known::Unknown,
    }
}
