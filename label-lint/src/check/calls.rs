//! The calls that attach labels or name a metric: macros of `metrics`, of the facade and of the tree, and functions.

use std::rc::Rc;

use compozy_monitoring::labels::Kind;
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Expr, Token,
    parse::{Parse, ParseStream},
    visit::Visit,
};

use super::{Checker, MAX_DEPTH, MacroId, built::tuple_into, expressions};
use crate::{
    eval::Known,
    expand, families,
    resolve::{Answer, Space, Target},
    rules::Rule,
    tokens,
    value::{self, plain},
};

/// The arguments of `counter!` and its like.
struct Metric {
    name: Expr,
    labels: Vec<(Expr, Option<Expr>)>,
}

impl Parse for Metric {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        while input.peek(syn::Ident) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
            input.parse::<syn::Ident>()?;
            input.parse::<Token![:]>()?;
            input.parse::<Expr>()?;
            input.parse::<Token![,]>()?;
        }
        let name = input.parse()?;
        let mut labels = Vec::new();
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let label = input.parse()?;
            let value = input.parse::<Option<Token![=>]>>()?.map(|_| input.parse()).transpose()?;
            labels.push((label, value));
        }
        if input.is_empty() { Ok(Self { name, labels }) } else { Err(input.error("expected `,`")) }
    }
}

fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(lit) => matches!(lit.lit, syn::Lit::Str(_)),
        Expr::Group(inner) => is_text(&inner.expr),
        _ => false,
    }
}

impl Metric {
    /// Whether the arguments can only be those of a metric. For macros that are known by name only.
    fn is_typical(&self) -> bool {
        let pairs = self.labels.iter().all(|(_, value)| value.is_some());
        pairs && (is_text(&self.name) || self.labels.iter().any(|(label, _)| is_text(label)))
    }
}

fn kind_of(word: &str) -> Option<Kind> {
    match word {
        "counter" => Some(Kind::Counter),
        "gauge" => Some(Kind::Gauge),
        "histogram" => Some(Kind::Histogram),
        _ => None,
    }
}

/// Methods that hand each element to a function.
pub(super) const MAPS: &[&str] = &["map", "for_each", "flat_map"];

impl Checker<'_> {
    /// Checks a macro call, and says whether it was one of those that are known.
    pub(super) fn macro_call(&mut self, path: &[String], arguments: &TokenStream, at: Span) -> bool {
        if !self.may_matter(path) && !looks_like_a_metric(arguments) {
            return self.foreign_macro(path, arguments);
        }
        let Answer { targets, .. } = self.resolve(path, Space::Macro);
        let mut known = false;
        for target in &targets {
            known |= match target {
                Target::Metrics(item) | Target::Facade(item) => {
                    item.last().is_some_and(|item| self.item(item, arguments, at, true))
                }
                Target::PerhapsMetrics(item) => item.last().is_some_and(|item| self.item(item, arguments, at, false)),
                Target::Macro(at_definition) => {
                    let krate = self.context.names.modules[self.module].krate;
                    let krate = self.context.names.macro_crate(at_definition).unwrap_or(krate);
                    let definition = self.context.names.definition(at_definition);
                    let id = (at_definition.file, definition.at);
                    self.expand(id, krate, &definition.rules, arguments, at)
                }
                Target::BlockMacro(frame, index) => {
                    let krate = self.context.names.modules[self.module].krate;
                    let found = self.frames.get(*frame).and_then(|frame| frame.scope.as_ref()?.macros.get(*index));
                    let Some((name, rules)) = found.map(|one| (one.at, one.rules.clone())) else { continue };
                    let id = (self.context.file, name + self.context.base);
                    self.expand(id, krate, &rules, arguments, at)
                }
                Target::Outside(path) => self.outside(path, arguments, at),
                _ => false,
            };
        }
        if known || !targets.is_empty() {
            return known || self.foreign_macro(path, arguments);
        }
        match path {
            // From a macro that was not expanded, or a glob of another package: recognised by the shape of its arguments.
            [name] if self.may_matter(path) => self.item(name, arguments, at, false),
            _ => self.foreign_macro(path, arguments),
        }
    }

    /// Checks the arguments of a macro of `metrics` or the facade.
    fn item(&mut self, item: &str, arguments: &TokenStream, at: Span, certain: bool) -> bool {
        if item == "families" {
            return self.families(arguments, certain, at);
        }
        let described = item.strip_prefix("describe_");
        let kind = kind_of(described.unwrap_or(item));
        if kind.is_none() && item != "key_var" {
            return false;
        }
        if described.is_some() {
            return self.description(kind, arguments, certain);
        }
        match syn::parse2::<Metric>(arguments.clone()) {
            Ok(metric) if certain || metric.is_typical() => {
                self.metric(kind, &metric);
                true
            }
            Err(_) if certain => {
                self.unreadable(item, arguments, at);
                false
            }
            _ => false,
        }
    }

    fn description(&mut self, kind: Option<Kind>, arguments: &TokenStream, certain: bool) -> bool {
        match expressions(arguments.clone()).as_deref() {
            Some([name, ..]) if certain || is_text(name) => {
                self.name(kind, name);
                true
            }
            _ => false,
        }
    }

    fn metric(&mut self, kind: Option<Kind>, metric: &Metric) {
        self.checked.metrics += 1;
        let names = self.name(kind, &metric.name);
        self.visit_expr(&metric.name);
        let mut seen = Vec::new();
        for (label, value) in &metric.labels {
            match value {
                Some(value) => {
                    let known = self.known(&value::of(label));
                    self.label(&names, label, &known, &mut seen);
                    self.value(value);
                    self.visit_expr(value);
                }
                None => self.list(&names, label, &mut seen),
            }
            self.visit_expr(label);
        }
    }

    fn families(&mut self, arguments: &TokenStream, certain: bool, at: Span) -> bool {
        let block = match families::parse(arguments.clone()) {
            Ok(block) => block,
            Err(_) => {
                if certain {
                    self.unreadable("families", arguments, at);
                }
                return false;
            }
        };
        for family in block {
            self.checked.metrics += 1;
            let name = family.metric.value();
            if let Some(place) = self.place(&family.metric) {
                let kind = kind_of(&plain(&family.kind));
                self.name_of(kind, &name, family.buckets.is_some(), place);
                self.buckets(kind, &name, family.buckets.as_deref().unwrap_or_default());
                self.declared_before(&name, &family.metric);
            }
            let mut seen = Vec::new();
            for families::DeclaredLabel { name: label, is_set } in &family.labels {
                let Some(place) = self.place(label) else { continue };
                if tokens::variable(&plain(label)).is_some() {
                    self.unresolved_label(
                        place,
                        &format!("${}", tokens::variable(&plain(label)).unwrap_or_default()),
                        true,
                    );
                } else {
                    let label = plain(label);
                    self.label_of(std::slice::from_ref(&name), &label, *is_set, place, &mut seen);
                }
            }
        }
        true
    }

    /// Checks what a macro of the tree becomes.
    fn expand(&mut self, id: MacroId, krate: usize, rules: &str, arguments: &TokenStream, at: Span) -> bool {
        if tokens::has_variable(arguments.clone()) {
            return false;
        }
        let rules = self.rules.entry(id).or_insert_with(|| expand::rules(rules).map(Rc::new)).clone();
        let tokens = rules.as_ref().filter(|_| self.expansion.len() < MAX_DEPTH);
        let tokens = tokens.and_then(|rules| expand::expand(rules, krate, arguments));
        let cost = tokens.as_ref().map_or(0, |tokens| tokens::count(tokens.clone()) + 1);
        let (Some(tokens), Some(left)) = (tokens, self.budget.checked_sub(cost)) else {
            self.not_expanded(at);
            return false;
        };
        self.budget = left;
        self.checked.expanded.insert(id);
        self.expansion.push(at.byte_range());
        self.expanded(tokens);
        self.expansion.pop();
        true
    }

    /// A macro of a package that is not in the tree, called as if it recorded a metric.
    fn outside(&mut self, path: &[String], arguments: &TokenStream, at: Span) -> bool {
        let Ok(metric) = syn::parse2::<Metric>(arguments.clone()) else { return false };
        let has_pairs = !metric.labels.is_empty() && metric.is_typical() && is_text(&metric.name);
        if has_pairs && self.expansion.is_empty() {
            self.unread_macro(path, at);
        }
        false
    }

    /// A function that builds a label or a key.
    pub(super) fn function_call(&mut self, path: &[String], arguments: &[&Expr]) {
        if path.len() < 2 || !self.may_matter(path) {
            return self.foreign_function(path, arguments);
        }
        let targets = self.resolve(path, Space::Value).targets;
        for target in targets {
            let Target::Metrics(item) = target else { continue };
            let [owner, function] = item.as_slice() else { continue };
            match (owner.as_str(), function.as_str(), arguments) {
                ("Label", "new" | "from_static_parts", [label, value]) => self.pair(label, value),
                ("Label", "from", [pair]) => self.converted(pair),
                ("Key", "from_parts" | "from_static_parts" | "from_static_labels", [name, list]) => {
                    self.key(name, list)
                }
                ("Key", "from", [Expr::Tuple(parts)]) if parts.elems.len() == 2 => {
                    self.key(&parts.elems[0], &parts.elems[1]);
                }
                ("Key", "from_name" | "from_static_name" | "from", [name]) => {
                    self.name(None, name);
                }
                ("Key", "with_extra_labels", [_, list]) => self.list(&[], list, &mut Vec::new()),
                ("IntoLabels", "into_labels", [list]) => self.list(&[], list, &mut Vec::new()),
                _ => {}
            }
        }
        self.foreign_function(path, arguments);
    }

    pub(super) fn method_call(
        &mut self,
        receiver: &[String],
        call: Option<&syn::ExprMethodCall>,
        method: &str,
        arguments: &[&Expr],
    ) {
        match (method, arguments) {
            ("with_extra_labels", [list]) => self.list(&[], list, &mut Vec::new()),
            ("into_labels", []) => {
                if let Some(call) = call {
                    self.list(&[], &call.receiver, &mut Vec::new());
                }
            }
            ("with", _) if receiver.last().is_some_and(|last| self.context.words.contains(last)) => {
                if self.resolve(receiver, Space::Value).targets.contains(&Target::Family) {
                    arguments.iter().for_each(|argument| self.value(argument));
                }
            }
            ("push" | "push_back", [element]) | ("insert", [_, element]) => self.pushed(receiver, call, element),
            ("extend" | "extend_from_slice", [list]) => {
                if self.receives_labels(receiver, call) {
                    self.more_labels(list);
                }
            }
            (method, [Expr::Path(function)]) if MAPS.contains(&method) => {
                let path = value::qualified(function);
                if let Some(call) = call.filter(|_| self.makes_labels(&path)) {
                    let known = self.known(&value::of(&call.receiver));
                    self.mapped(function, &known);
                }
            }
            ("into", []) => {
                if let Some(Expr::Tuple(pair)) = call.map(|call| &*call.receiver)
                    && pair.elems.len() == 2
                {
                    self.key_of_tuple(pair);
                }
            }
            _ => self.foreign_method(call, method, arguments),
        }
    }

    /// Labels given as a list.
    pub(super) fn list(&mut self, names: &[String], expr: &Expr, seen: &mut Vec<String>) {
        if let Some(elements) = elements(stripped(expr)) {
            return elements.iter().for_each(|element| self.element(names, element, seen));
        }
        match self.known(&value::of(expr)) {
            Known::List(found) => found.iter().for_each(|label| self.label(names, stripped(expr), label, seen)),
            _ => self.unresolved_list(stripped(expr)),
        }
    }

    fn element(&mut self, names: &[String], element: &Expr, seen: &mut Vec<String>) {
        match tuple_into(element) {
            Some(tuple) => {
                let known = self.known(&value::of(&tuple.elems[0]));
                self.label(names, &tuple.elems[0], &known, seen);
                self.value(&tuple.elems[1]);
            }
            None => {
                let known = self.known(&value::element(element));
                self.label(names, element, &known, seen);
            }
        }
    }

    /// Reports a call of a known macro whose arguments cannot be read.
    fn unreadable(&mut self, item: &str, arguments: &TokenStream, at: Span) {
        let depends = tokens::has_variable(arguments.clone());
        let place = if self.expansion.is_empty() { at.byte_range() } else { return };
        self.report_at(
            Rule::UnresolvedName,
            place.start + self.context.base..place.end + self.context.base,
            format!("the arguments of `{item}!` cannot be read, so neither name nor labels are checked"),
            "not readable",
            vec!["write the name and the labels as `\"name\", \"label\" => value`".to_owned()],
            None,
            depends,
        );
    }
}

/// Whether tokens start as `"name", ..` and have a `>`, as in `=>`.
fn looks_like_a_metric(arguments: &TokenStream) -> bool {
    let mut tokens = arguments.clone().into_iter();
    let starts = matches!(
        (tokens.next(), tokens.next()),
        (Some(TokenTree::Literal(_)), Some(TokenTree::Punct(comma))) if comma.as_char() == ','
    );
    starts && tokens.any(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '>'))
}

/// An expression without references and brackets around it.
pub(super) fn stripped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Reference(inner) => stripped(&inner.expr),
        Expr::Paren(inner) => stripped(&inner.expr),
        Expr::Group(inner) => stripped(&inner.expr),
        other => other,
    }
}

/// The elements of an array or a `vec!`.
pub(super) fn elements(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Array(array) => Some(array.elems.iter().cloned().collect()),
        Expr::Macro(call) if call.mac.path.is_ident("vec") => expressions(call.mac.tokens.clone()),
        Expr::MethodCall(call) if call.args.is_empty() && (call.method == "as_slice" || call.method == "to_vec") => {
            elements(stripped(&call.receiver))
        }
        _ => None,
    }
}
