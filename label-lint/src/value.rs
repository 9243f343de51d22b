//! The value of an expression, as far as its syntax tells. `eval` looks up the names in it.

use proc_macro2::TokenTree;
use syn::{Expr, ExprLit, Lit, Pat, Token, Type, parse::Parser, punctuated::Punctuated, visit::Visit};

use crate::tokens;

/// The segments of a path; `crate`, `self` and `super` are segments, and a leading `::` is the segment `::`.
pub type Path = Vec<String>;

/// The value of an expression, as far as its syntax tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    /// A path, and whether the definition of a macro wrote it: then no variable of the call is meant.
    Path(Path, bool),
    Concat(Vec<Self>),
    /// The arms of an `if` or a `match`.
    OneOf(Vec<Self>),
    /// A list of labels, or of texts.
    List(Vec<Self>),
    /// A pair: the name and the value of a label, of which only the name is kept.
    Pair(Box<Self>),
    /// A label built by a call of this path. It is checked there, but without its family, which is not known there. Without a path,
    /// the type says that it is a label.
    Built(Path, Box<Self>),
    /// The value within, if the path is the standard library's (or that of `metrics`) and nobody's own.
    Through(Path, bool, Box<Self>),
    /// A part of a list or a text.
    Slice(Box<Self>, usize, Option<usize>),
    Unknown,
}

/// A path of syntax as segments.
pub fn segments(path: &syn::Path) -> Path {
    let leading = path.leading_colon.map(|_| "::".to_owned());
    leading.into_iter().chain(path.segments.iter().map(|segment| plain(&segment.ident))).collect()
}

/// A path of an expression as segments; `<Type>::f` and `<Type as Trait>::f` are `Type::f`.
pub fn qualified(path: &syn::ExprPath) -> Path {
    let Some(qself) = &path.qself else { return segments(&path.path) };
    let (Type::Path(ty), Some(last)) = (&*qself.ty, path.path.segments.last()) else { return Path::new() };
    if ty.qself.is_some() || path.path.segments.len() > qself.position + 1 {
        return Path::new();
    }
    let mut all = segments(&ty.path);
    all.push(plain(&last.ident));
    all
}

/// An identifier without `r#`.
pub fn plain(ident: &proc_macro2::Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or_else(|| text.clone(), str::to_owned)
}

/// The value of an expression.
pub fn of(expr: &Expr) -> Value {
    match expr {
        Expr::Lit(lit) => literal(lit),
        Expr::Path(path) if path.qself.is_none() => of_path(&path.path),
        Expr::Reference(inner) => of(&inner.expr),
        Expr::Paren(inner) => of(&inner.expr),
        Expr::Group(inner) => of(&inner.expr),
        Expr::Cast(inner) => of(&inner.expr),
        Expr::Unary(inner) if matches!(inner.op, syn::UnOp::Deref(_)) => of(&inner.expr),
        Expr::Const(inner) => block(&inner.block),
        Expr::Block(inner) => block(&inner.block),
        Expr::If(branch) => match &branch.else_branch {
            Some((_, other)) => {
                let bound = bound(|names| names.visit_expr(&branch.cond));
                Value::OneOf(vec![without(block(&branch.then_branch), &bound), of(other)])
            }
            None => Value::Unknown,
        },
        Expr::Match(choice) => Value::OneOf(
            choice.arms.iter().map(|arm| without(of(&arm.body), &bound(|names| names.visit_arm(arm)))).collect(),
        ),
        Expr::Macro(call) => of_macro(&call.mac),
        Expr::Array(array) => Value::List(array.elems.iter().map(element).collect()),
        Expr::Tuple(pair) if pair.elems.len() == 2 => Value::Pair(Box::new(of(&pair.elems[0]))),
        Expr::Call(call) => of_call(call),
        Expr::MethodCall(call) => of_method(call),
        Expr::Index(index) => of_index(index),
        _ => Value::Unknown,
    }
}

fn of_path(path: &syn::Path) -> Value {
    let written_by_macro = path.get_ident().is_some_and(|ident| ident.span().byte_range().is_empty());
    Value::Path(segments(path), written_by_macro)
}

fn literal(lit: &ExprLit) -> Value {
    match &lit.lit {
        Lit::Str(text) => Value::Text(text.value()),
        _ => Value::Unknown,
    }
}

/// A part of `concat!`: other literals than strings count as well.
fn part(expr: &Expr) -> Value {
    match expr {
        Expr::Group(inner) => part(&inner.expr),
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(number) => Value::Text(number.base10_digits().to_owned()),
            Lit::Bool(flag) => Value::Text(flag.value.to_string()),
            Lit::Char(c) => Value::Text(c.value().to_string()),
            _ => literal(lit),
        },
        Expr::Macro(call) => of_macro(&call.mac),
        _ => Value::Unknown,
    }
}

fn block(block: &syn::Block) -> Value {
    match block.stmts.as_slice() {
        [syn::Stmt::Expr(expr, None)] => of(expr),
        [syn::Stmt::Macro(call)] => of_macro(&call.mac),
        _ => Value::Unknown,
    }
}

/// The names that patterns bind.
#[derive(Default)]
struct Bound(Vec<String>);

impl Visit<'_> for Bound {
    fn visit_pat_ident(&mut self, pat: &syn::PatIdent) {
        self.0.push(plain(&pat.ident));
        syn::visit::visit_pat_ident(self, pat);
    }
}

fn bound(visit: impl FnOnce(&mut Bound)) -> Vec<String> {
    let mut names = Bound::default();
    visit(&mut names);
    names.0
}

/// The value, unless it has a name in it that a pattern around it binds anew.
fn without(value: Value, bound: &[String]) -> Value {
    fn speaks(value: &Value, bound: &[String]) -> bool {
        match value {
            Value::Path(path, _) => matches!(path.as_slice(), [name] if bound.contains(name)),
            Value::Concat(all) | Value::OneOf(all) | Value::List(all) => all.iter().any(|one| speaks(one, bound)),
            Value::Pair(one) | Value::Built(_, one) | Value::Through(_, _, one) | Value::Slice(one, ..) => {
                speaks(one, bound)
            }
            Value::Text(_) | Value::Unknown => false,
        }
    }
    if speaks(&value, bound) { Value::Unknown } else { value }
}

/// Whether a method gives the same text or the same labels in another type.
fn is_conversion(method: &str) -> bool {
    [
        "as_ref",
        "as_slice",
        "as_str",
        "borrow",
        "clone",
        "cloned",
        "collect",
        "copied",
        "deref",
        "into",
        "into_boxed_slice",
        "into_iter",
        "into_labels",
        "into_string",
        "iter",
        "rev",
        "to_owned",
        "to_string",
        "to_vec",
    ]
    .contains(&method)
}

fn of_method(call: &syn::ExprMethodCall) -> Value {
    let method = plain(&call.method);
    match call.args.len() {
        0 if is_conversion(&method) => of(&call.receiver),
        1 if method == "map" && converts(&call.args[0]) => of(&call.receiver),
        _ => Value::Unknown,
    }
}

/// Whether a function makes a label of a pair, or of a reference to one: `Label::from`, `Into::into`, `|p| p.into()`.
pub fn converts(function: &Expr) -> bool {
    match function {
        Expr::Path(path) => {
            matches!(qualified(path).as_slice(), [.., owner, name]
                if name == "from" && owner != "String" || name == "into" && owner == "Into")
        }
        Expr::Closure(closure) => {
            let [Pat::Ident(pair)] = closure.inputs.iter().collect::<Vec<_>>()[..] else { return false };
            let is_pair = |expr: &Expr| matches!(expr, Expr::Path(path) if path.path.is_ident(&pair.ident));
            match &*closure.body {
                Expr::MethodCall(call) => call.method == "into" && is_pair(&call.receiver),
                Expr::Call(call) => call.args.len() == 1 && is_pair(&call.args[0]) && converts(&call.func),
                _ => false,
            }
        }
        _ => false,
    }
}

fn of_index(index: &syn::ExprIndex) -> Value {
    let Expr::Range(range) = &*index.index else { return Value::Unknown };
    let number = |expr: &Expr| match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(number) => number.base10_parse::<usize>().ok(),
            _ => None,
        },
        _ => None,
    };
    let start = range.start.as_ref().map_or(Some(0), |start| number(start));
    let end = range.end.as_ref().map(|end| number(end));
    let end = match (end, &range.limits) {
        (None, _) => None,
        (Some(None), _) => return Value::Unknown,
        (Some(Some(end)), syn::RangeLimits::HalfOpen(_)) => Some(end),
        (Some(Some(end)), syn::RangeLimits::Closed(_)) => Some(end.saturating_add(1)),
    };
    match (of(&index.expr), start) {
        (value, Some(0)) if end.is_none() => value,
        (value, Some(start)) => Value::Slice(Box::new(value), start, end),
        _ => Value::Unknown,
    }
}

fn of_call(call: &syn::ExprCall) -> Value {
    let Expr::Path(path) = &*call.func else { return Value::Unknown };
    let path = qualified(path);
    let [.., owner, function] = path.as_slice() else { return Value::Unknown };
    let wraps = match owner.as_str() {
        "String" | "Box" | "Arc" | "Rc" | "Vec" => function == "from",
        "Cow" => ["Borrowed", "Owned", "from", "const_str"].contains(&function.as_str()),
        "SharedString" | "KeyName" => {
            ["from", "const_str", "from_const_str", "from_owned"].contains(&function.as_str())
        }
        _ => false,
    };
    match call.args.first() {
        Some(only) if wraps && call.args.len() == 1 => {
            Value::Through(path[..path.len() - 1].to_vec(), false, Box::new(of(only)))
        }
        _ => Value::Unknown,
    }
}

fn of_macro(mac: &syn::Macro) -> Value {
    let path = segments(&mac.path);
    let (Some(name), true) = (path.last(), is_standard(&path)) else { return Value::Unknown };
    let inner = match name.as_str() {
        "concat" => arguments(mac).map_or(Value::Unknown, |parts| Value::Concat(parts.iter().map(part).collect())),
        "stringify" => match mac.tokens.clone().into_iter().collect::<Vec<_>>().as_slice() {
            [TokenTree::Ident(ident)] if tokens::variable(&ident.to_string()).is_none() => {
                Value::Text(ident.to_string())
            }
            [TokenTree::Literal(literal)] => Value::Text(literal.to_string()),
            _ => Value::Unknown,
        },
        "vec" => arguments(mac).map_or(Value::Unknown, |items| Value::List(items.iter().map(element).collect())),
        "format" => match arguments(mac).as_deref() {
            Some([Expr::Lit(lit)]) => match literal(lit) {
                Value::Text(text) if !text.contains(['{', '}']) => Value::Text(text),
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    };
    if inner == Value::Unknown { inner } else { Value::Through(path, true, Box::new(inner)) }
}

/// Whether a path may lead to a macro of the standard library: `vec`, `std::vec`.
pub fn is_standard(path: &[String]) -> bool {
    match path {
        [_] => true,
        [root, _] | [_, root, _] => ["std", "core", "alloc"].contains(&root.as_str()),
        _ => false,
    }
}

fn arguments(mac: &syn::Macro) -> Option<Vec<Expr>> {
    let parsed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone()).ok()?;
    Some(parsed.into_iter().collect())
}

/// One element of a list of labels.
pub fn element(expr: &Expr) -> Value {
    match expr {
        Expr::Reference(inner) => element(&inner.expr),
        Expr::Paren(inner) => element(&inner.expr),
        Expr::Group(inner) => element(&inner.expr),
        Expr::MethodCall(call) if call.args.is_empty() && is_conversion(&plain(&call.method)) => {
            element(&call.receiver)
        }
        Expr::Call(call) => match built(call) {
            Value::Unknown => of(expr),
            built => built,
        },
        _ => of(expr),
    }
}

/// The name in `Label::from(("name", value))`; `Label::new` and its like are checked where they stand.
fn built(call: &syn::ExprCall) -> Value {
    let Expr::Path(path) = &*call.func else { return Value::Unknown };
    let path = qualified(path);
    match (path.as_slice(), call.args.len(), call.args.first()) {
        ([.., owner, function], 1, Some(pair)) if function == "from" && owner != "String" => {
            Value::Built(path.clone(), Box::new(of(pair)))
        }
        ([.., _, function], 2, Some(label)) if function == "new" || function == "from_static_parts" => {
            Value::Built(path.clone(), Box::new(of(label)))
        }
        _ => Value::Unknown,
    }
}

/// Whether a type holds `Label`s.
pub fn holds_labels(ty: &Type) -> bool {
    names(ty, "Label")
}

/// Whether a type is, or holds, a type whose path has this segment.
pub fn names(ty: &Type, name: &str) -> bool {
    struct Search<'a>(&'a str, bool);
    impl Visit<'_> for Search<'_> {
        fn visit_path_segment(&mut self, segment: &syn::PathSegment) {
            self.1 |= segment.ident == self.0;
            syn::visit::visit_path_segment(self, segment);
        }
    }
    let mut search = Search(name, false);
    search.visit_type(ty);
    search.1
}

/// `Label`s of which only the type is known: each is checked where it is built.
pub fn some_labels() -> Value {
    Value::List(vec![Value::Built(Path::new(), Box::new(Value::Unknown))])
}

/// The value of a constant or a variable of a known type.
pub fn of_typed(ty: Option<&Type>, expr: &Expr) -> Value {
    match of(expr) {
        Value::Unknown if ty.is_some_and(holds_labels) => some_labels(),
        value => value,
    }
}
