//! Finds the places of a file that attach a label or name a family, and holds them against the rules.
//!
//! `visit` walks through the file, and this module keeps what is in scope at each place. `calls` and `built` know the ways to
//! attach a label, `foreign` those of other packages. `rules` decides what a name and a label may be, `report` makes the findings.

mod built;
mod calls;
mod foreign;
mod report;
mod rules;
mod visit;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
    rc::Rc,
    sync::Arc,
};

use compozy_monitoring::labels::Namespace;
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
    value::{self, Path, Value, plain},
};

/// Where a file stands in the tree.
pub struct Context<'a> {
    pub names: &'a Names,
    /// The number of the file.
    pub file: usize,
    pub display: Arc<str>,
    /// The paths of all files as they are shown, by number.
    pub displays: &'a [Arc<str>],
    /// The application's own labels.
    pub extension: &'a str,
    /// The first words of the names that the rules hold for.
    pub namespace: Namespace<'a>,
    /// Names that may stand for something of `metrics` or the facade.
    pub words: &'a HashSet<String>,
    /// Where this piece of a large file starts, in bytes; 0 for a file that is not cut in pieces.
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

/// Checks a file as one module. `allow` comments are applied later.
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
        budget: MAX_EXPANSION,
        returns: Vec::new(),
        body: None,
        attributes: HashSet::new(),
        checked: std::mem::take(checked),
    };
    items.iter().for_each(|item| checker.visit_item(item));
    *checked = checker.checked;
    // A place that is reported as a label is not reported as a possible label too.
    let places: HashSet<(usize, Option<String>)> =
        checked.findings.iter().filter(|one| !one.is_guess).filter_map(told_at).collect();
    checked.findings.retain(|one| !one.is_guess || told_at(one).is_none_or(|at| !places.contains(&at)));
}

fn told_at(finding: &Finding) -> Option<(usize, Option<String>)> {
    Some((finding.place.as_ref()?.bytes.start, finding.label.clone()))
}

/// How deep macros may call each other, and how many tokens the calls of one file may become.
const MAX_DEPTH: usize = 64;
const MAX_EXPANSION: usize = 500_000;

struct Checker<'a> {
    context: &'a Context<'a>,
    text: &'a Text<'a>,
    module: ModuleId,
    /// What `Self` is, within an `impl`.
    self_type: Option<Path>,
    frames: Vec<Frame>,
    /// How many inline modules of each name were seen.
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
    /// Where the attributes of OpenTelemetry stand that were checked.
    attributes: HashSet<usize>,
    checked: Checked,
}

fn expressions(tokens: TokenStream) -> Option<Vec<Expr>> {
    let parsed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens);
    parsed.ok().map(|all| all.into_iter().collect())
}

/// Places.
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

    /// Whether a path starts with a name of a block around. The names of blocks are not among [`Context::words`].
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

    /// The place of syntax; `None` if the definition of a macro wrote it: then it is checked there.
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

    /// Binds the names of a pattern. If the pattern is one name, it is bound to the value.
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
        // A name that a macro binds is not the same as that name in its call. Macros within the macro are not told apart.
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

    /// Goes through tokens that cannot be parsed: variables may be bound anew in them, and constants that they define are unknown.
    fn unordered(&mut self, tokens: TokenStream) {
        let mut unknown = HashSet::new();
        tokens::defined(tokens.clone(), &mut unknown);
        self.within(Frame { is_barrier: true, unknown, ..Frame::default() }, |this| {
            tokens::search(tokens, &mut |call, at| this.found(call, at));
        });
    }

    /// Checks a call found in such tokens. Says whether to look for calls inside of it.
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
            Call::Block(tokens) => match syn::Block::parse_within.parse2(tokens) {
                Ok(statements) => {
                    self.statements(&statements);
                    false
                }
                Err(_) => true,
            },
        }
    }

    fn statements(&mut self, statements: &[syn::Stmt]) {
        let frame = Frame { scope: Some(scope::of_block(statements.iter(), self.source())), ..Frame::default() };
        self.within(frame, |this| statements.iter().for_each(|statement| this.visit_stmt(statement)));
    }

    /// What a macro call became.
    fn expanded(&mut self, tokens: TokenStream) {
        let statements = syn::Block::parse_within.parse2(tokens.clone());
        if let Ok(statements) = statements {
            return self.statements(&statements);
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
