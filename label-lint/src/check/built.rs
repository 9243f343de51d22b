//! Labels that are built of pairs: pushed, mapped, converted, or returned as a type that holds `Label`s.

use syn::{Expr, Type, visit::Visit};

use super::{
    Checker,
    calls::{elements, stripped},
};
use crate::{
    eval::Known,
    resolve::{Space, Target},
    value::{self, plain},
};

impl Checker<'_> {
    /// Whether a path is `Label::from` and the like.
    pub(super) fn makes_labels(&self, path: &[String]) -> bool {
        path.len() > 1
            && self.may_matter(path)
            && self.resolve(path, Space::Value).targets.iter().any(|target| {
                matches!(target, Target::Metrics(item) if matches!(item.as_slice(), [owner, _] if owner == "Label"))
            })
    }

    /// `pairs.map(Label::from)`: the names are those of the pairs.
    pub(super) fn mapped(&mut self, function: &syn::ExprPath, known: &Known) {
        match known {
            Known::List(all) => {
                for one in all {
                    self.label(&[], &Expr::Path(function.clone()), one, &mut Vec::new());
                }
            }
            _ => self.label(&[], &Expr::Path(function.clone()), &Known::Unknown, &mut Vec::new()),
        }
    }

    /// Whether a variable or a field holds `Label`s.
    pub(super) fn receives_labels(&self, receiver: &[String], call: Option<&syn::ExprMethodCall>) -> bool {
        if let Some(Expr::Field(field)) = call.map(|call| &*call.receiver)
            && let syn::Member::Named(name) = &field.member
        {
            return self.context.names.label_fields.contains(&plain(name));
        }
        !receiver.is_empty()
            && match self.known(&value::Value::Path(receiver.to_vec(), false)) {
                Known::List(all) => all.iter().any(|one| matches!(one, Known::Built(_))),
                _ => false,
            }
    }

    /// Whether `Label`, or `Key`, is that of `metrics` here.
    pub(super) fn is_metrics(&self, name: &str) -> bool {
        self.context.words.contains(name)
            && self
                .resolve(&[name.to_owned()], Space::Type)
                .targets
                .iter()
                .any(|found| matches!(found, Target::Metrics(_)))
    }

    pub(super) fn pushed(&mut self, receiver: &[String], call: Option<&syn::ExprMethodCall>, element: &Expr) {
        let Some(pair) = tuple_into(element) else { return };
        let known = self.known(&value::of(&pair.elems[0]));
        if self.receives_labels(receiver, call) {
            self.label(&[], &pair.elems[0], &known, &mut Vec::new());
            self.value(&pair.elems[1]);
        } else if self.is_metrics("Label")
            && let Some(texts) = known.name()
        {
            self.perhaps_a_label(&pair.elems[0], &texts);
        }
    }

    /// Whether a `.map(Label::from)` is in an expression. Its labels are checked there.
    pub(super) fn maps_to_labels(&self, expr: &Expr) -> bool {
        match expr {
            Expr::MethodCall(call) => {
                let function = match call.args.first() {
                    Some(Expr::Path(function)) if call.args.len() == 1 => value::qualified(function),
                    _ => value::Path::new(),
                };
                self.makes_labels(&function) || self.maps_to_labels(&call.receiver)
            }
            _ => false,
        }
    }

    /// Labels that are added to a list of `Label`s.
    pub(super) fn more_labels(&mut self, list: &Expr) {
        if self.maps_to_labels(list) {
            return;
        }
        let is_conversion = has_conversion(list);
        match self.known(&value::of(list)) {
            Known::List(all) => {
                for one in all.iter().filter(|one| matches!(one, Known::Pair(_))) {
                    self.label(&[], list, one, &mut Vec::new());
                }
            }
            _ if is_conversion => self.label(&[], list, &Known::Unknown, &mut Vec::new()),
            _ => {}
        }
    }

    pub(super) fn pair(&mut self, label: &Expr, value: &Expr) {
        let known = self.known(&value::of(label));
        self.label(&[], label, &known, &mut Vec::new());
        self.value(value);
    }

    /// `Label::from(pair)`
    pub(super) fn converted(&mut self, pair: &Expr) {
        match stripped(pair) {
            Expr::Tuple(tuple) if tuple.elems.len() == 2 => self.pair(&tuple.elems[0], &tuple.elems[1]),
            other => {
                let known = self.known(&value::of(other));
                let known = if matches!(known, Known::Pair(_)) { known } else { Known::Unknown };
                self.label(&[], pair, &known, &mut Vec::new());
            }
        }
    }

    pub(super) fn key(&mut self, name: &Expr, list: &Expr) {
        let names = self.name(None, name);
        self.list(&names, list, &mut Vec::new());
    }

    /// `(name, labels).into()`, where that may be a `Key`, and `(name, value).into()`, which may be a `Label`.
    pub(super) fn key_of_tuple(&mut self, pair: &syn::ExprTuple) {
        let holds_pairs = match self.known(&value::of(&pair.elems[1])) {
            Known::List(all) => {
                !all.is_empty() && all.iter().all(|one| matches!(one, Known::Pair(_) | Known::Built(_)))
            }
            _ => false,
        };
        let has_label = self.is_metrics("Label");
        if holds_pairs && (has_label || self.is_metrics("Key")) {
            self.key(&pair.elems[0], &pair.elems[1]);
        } else if has_label && let Some(texts) = self.known(&value::of(&pair.elems[0])).texts() {
            self.perhaps_a_label(&pair.elems[0], &texts);
        }
    }

    /// `Label::new` as a value: what it will be called with is not known.
    pub(super) fn function_value(&mut self, function: &syn::ExprPath) {
        if self.makes_labels(&value::qualified(function)) {
            self.mapped(function, &Known::Unknown);
        }
    }

    /// Checks an expression of a known type, if the type holds `Label`s: it may be made of pairs. Says whether it does.
    pub(super) fn typed(&mut self, ty: &Type, expr: &Expr) -> bool {
        if !value::holds_labels(ty) || !self.is_label_type(ty) {
            return false;
        }
        if let Some(pair) = tuple_into(expr) {
            self.pair(&pair.elems[0], &pair.elems[1]);
            return true;
        }
        if let Some(elements) = elements(stripped(expr)) {
            for element in &elements {
                if let Some(pair) = tuple_into(element) {
                    self.pair(&pair.elems[0], &pair.elems[1]);
                }
            }
            return true;
        }
        self.more_labels(expr);
        true
    }

    /// Whether the `Label` in a type is that of `metrics`.
    pub(super) fn is_label_type(&self, ty: &Type) -> bool {
        struct Paths(Vec<value::Path>);
        impl Visit<'_> for Paths {
            fn visit_type_path(&mut self, path: &syn::TypePath) {
                if path.path.segments.last().is_some_and(|last| last.ident == "Label") {
                    self.0.push(value::segments(&path.path));
                }
                syn::visit::visit_type_path(self, path);
            }
        }
        let mut paths = Paths(Vec::new());
        paths.visit_type(ty);
        let is_metrics = |path: &value::Path| {
            self.resolve(path, Space::Type).targets.iter().any(|target| matches!(target, Target::Metrics(_)))
        };
        paths.0.iter().any(is_metrics)
    }
}

/// The pair in `(a, b)`, `(a, b).into()` and references to them.
pub(super) fn tuple_into(expr: &Expr) -> Option<&syn::ExprTuple> {
    match stripped(expr) {
        Expr::Tuple(tuple) if tuple.elems.len() == 2 => Some(tuple),
        Expr::MethodCall(call) if call.method == "into" && call.args.is_empty() => tuple_into(&call.receiver),
        _ => None,
    }
}

/// Whether an expression may turn something into labels: with `.into()`, or with `.map(Label::from)` and the like.
fn has_conversion(expr: &Expr) -> bool {
    struct Search(bool);
    impl Visit<'_> for Search {
        fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
            self.0 |= call.method == "into" && call.args.is_empty();
            self.0 |= call.method == "map" && call.args.len() == 1 && value::converts(&call.args[0]);
            syn::visit::visit_expr_method_call(self, call);
        }
    }
    let mut search = Search(false);
    search.visit_expr(expr);
    search.0
}
