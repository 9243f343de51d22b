//! What an expression says about a name: a text, a constant, a list of labels, or nothing that syntax can tell.

use syn::{Expr, ExprLit, Lit, Token, Type, parse::Parser, punctuated::Punctuated, visit::Visit};

/// The segments of a path; `crate`, `self` and `super` are segments, and a leading `::` is the segment `::`.
pub type Path = Vec<String>;

/// The value of an expression, as far as syntax can tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Path(Path),
    Concat(Vec<Self>),
    /// The arms of an `if` or a `match`.
    OneOf(Vec<Self>),
    /// A list of labels: the name of each.
    Labels(Vec<Self>),
    /// A label built by a call that is checked where it stands; only there, its family is not known.
    Built(Box<Self>),
    Unknown,
}

/// A path of syntax as segments.
pub fn segments(path: &syn::Path) -> Path {
    let leading = path.leading_colon.map(|_| "::".to_owned());
    leading.into_iter().chain(path.segments.iter().map(|segment| plain(&segment.ident))).collect()
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
        Expr::Path(path) if path.qself.is_none() => Value::Path(segments(&path.path)),
        Expr::Reference(inner) => of(&inner.expr),
        Expr::Paren(inner) => of(&inner.expr),
        Expr::Group(inner) => of(&inner.expr),
        Expr::Cast(inner) => of(&inner.expr),
        Expr::Unary(inner) if matches!(inner.op, syn::UnOp::Deref(_)) => of(&inner.expr),
        Expr::Const(inner) => block(&inner.block),
        Expr::Block(inner) => block(&inner.block),
        Expr::If(branch) => match &branch.else_branch {
            Some((_, other)) => one_of([block(&branch.then_branch), of(other)]),
            None => Value::Unknown,
        },
        Expr::Match(choice) => one_of(choice.arms.iter().map(|arm| of(&arm.body))),
        Expr::Macro(call) => of_macro(&call.mac),
        Expr::Array(array) => Value::Labels(array.elems.iter().map(element).collect()),
        Expr::Call(call) => of_call(call),
        Expr::MethodCall(call) if call.args.is_empty() && is_conversion(&plain(&call.method)) => of(&call.receiver),
        Expr::Index(index) if matches!(*index.index, Expr::Range(_)) => of(&index.expr),
        _ => Value::Unknown,
    }
}

fn literal(lit: &ExprLit) -> Value {
    match &lit.lit {
        Lit::Str(text) => Value::Text(text.value()),
        _ => Value::Unknown,
    }
}

/// A part of `concat!`: other literals than strings count as well.
fn part(expr: &Expr) -> Value {
    let Expr::Lit(lit) = expr else { return of(expr) };
    match &lit.lit {
        Lit::Int(number) => Value::Text(number.base10_digits().to_owned()),
        Lit::Bool(flag) => Value::Text(flag.value.to_string()),
        Lit::Char(c) => Value::Text(c.value().to_string()),
        _ => literal(lit),
    }
}

fn block(block: &syn::Block) -> Value {
    match block.stmts.as_slice() {
        [syn::Stmt::Expr(expr, None)] => of(expr),
        [syn::Stmt::Macro(call)] => of_macro(&call.mac),
        _ => Value::Unknown,
    }
}

fn one_of(arms: impl IntoIterator<Item = Value>) -> Value {
    Value::OneOf(arms.into_iter().collect())
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
        "deref",
        "into",
        "into_iter",
        "iter",
        "to_owned",
        "to_string",
        "to_vec",
    ]
    .contains(&method)
}

fn of_call(call: &syn::ExprCall) -> Value {
    let Expr::Path(path) = &*call.func else { return Value::Unknown };
    let path = segments(&path.path);
    let [.., owner, function] = path.as_slice() else { return Value::Unknown };
    let wraps = match owner.as_str() {
        "String" | "Box" | "Arc" | "Rc" | "Vec" => function == "from",
        "Cow" => ["Borrowed", "Owned", "from", "const_str"].contains(&function.as_str()),
        "SharedString" | "KeyName" => true,
        _ => false,
    };
    match call.args.first() {
        Some(only) if wraps && call.args.len() == 1 => of(only),
        _ => Value::Unknown,
    }
}

fn of_macro(mac: &syn::Macro) -> Value {
    let Some(name) = mac.path.segments.last() else { return Value::Unknown };
    match name.ident.to_string().as_str() {
        "concat" => arguments(mac).map_or(Value::Unknown, |parts| Value::Concat(parts.iter().map(part).collect())),
        "stringify" => {
            let mut tokens = mac.tokens.clone().into_iter();
            match (tokens.next(), tokens.next()) {
                (Some(proc_macro2::TokenTree::Ident(ident)), None) => Value::Text(ident.to_string()),
                _ => Value::Unknown,
            }
        }
        "vec" => arguments(mac).map_or(Value::Unknown, |items| Value::Labels(items.iter().map(element).collect())),
        "format" => match arguments(mac).as_deref() {
            Some([Expr::Lit(lit)]) => match literal(lit) {
                Value::Text(text) if !text.contains(['{', '}']) => Value::Text(text),
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        },
        _ => Value::Unknown,
    }
}

fn arguments(mac: &syn::Macro) -> Option<Vec<Expr>> {
    let parsed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone()).ok()?;
    Some(parsed.into_iter().collect())
}

/// The name in one element of a list of labels.
pub fn element(expr: &Expr) -> Value {
    match expr {
        Expr::Tuple(tuple) if tuple.elems.len() == 2 => of(&tuple.elems[0]),
        Expr::Reference(inner) => element(&inner.expr),
        Expr::Paren(inner) => element(&inner.expr),
        Expr::MethodCall(call) if call.args.is_empty() && is_conversion(&plain(&call.method)) => {
            element(&call.receiver)
        }
        Expr::Call(call) => built(call),
        _ => Value::Unknown,
    }
}

/// The name in `Label::from(("name", value))`; `Label::new` and its like are checked where they stand.
fn built(call: &syn::ExprCall) -> Value {
    let Expr::Path(path) = &*call.func else { return Value::Unknown };
    match (segments(&path.path).as_slice(), call.args.first()) {
        ([.., _, function], Some(pair)) if function == "from" => element(pair),
        ([.., _, function], Some(label)) if function == "new" || function == "from_static_parts" => {
            Value::Built(Box::new(of(label)))
        }
        _ => Value::Unknown,
    }
}

/// Whether a type holds `Label`s: each of them is checked where it is built.
pub fn holds_labels(ty: &Type) -> bool {
    struct Search(bool);
    impl Visit<'_> for Search {
        fn visit_path_segment(&mut self, segment: &syn::PathSegment) {
            self.0 |= segment.ident == "Label";
            syn::visit::visit_path_segment(self, segment);
        }
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}

/// `Label`s of which only the type is known: each is checked where it is built.
pub fn some_labels() -> Value {
    Value::Labels(vec![Value::Built(Box::new(Value::Unknown))])
}

/// The value of a constant or a variable of a known type.
pub fn of_typed(ty: Option<&Type>, expr: &Expr) -> Value {
    match of(expr) {
        Value::Unknown if ty.is_some_and(holds_labels) => some_labels(),
        value => value,
    }
}
