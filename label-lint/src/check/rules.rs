//! What the name of a metric, the name of a label and its value may be.

use std::ops::Range;

use compozy_monitoring::labels::{self, BoundsFault, Kind, NameFault, Namespace};
use quote::ToTokens;
use syn::Expr;

use super::Checker;
use crate::{eval::Known, rules::Rule, scope::are_opposite, smell, tokens, value};

impl Checker<'_> {
    /// Checks the name of a metric; gives the names that it may be.
    pub(super) fn name(&mut self, kind: Option<Kind>, expr: &Expr) -> Vec<String> {
        let known = self.known(&value::of(expr));
        let place = self.place(expr);
        let Some(names) = known.texts() else {
            if let Some(place) = place {
                self.report_at(
                    Rule::UnresolvedName,
                    place,
                    format!("the name of this metric is computed (`{}`), so it cannot be checked", self.shown(expr)),
                    "not a literal, nor a constant of this tree",
                    vec!["name the metric with a literal, a constant or `families!`".to_owned()],
                    None,
                    tokens::has_variable(expr.to_token_stream()),
                );
            }
            return Vec::new();
        };
        if let Some(place) = place {
            for name in &names {
                self.name_text(kind, name, place.clone());
            }
        }
        names
    }

    pub(super) fn name_text(&mut self, kind: Option<Kind>, name: &str, at: Range<usize>) {
        self.name_of(kind, name, false, at);
    }

    /// The same for a declaration that may give the bounds of its buckets.
    pub(super) fn name_of(&mut self, kind: Option<Kind>, name: &str, has_buckets: bool, at: Range<usize>) {
        let namespace = self.context.namespace;
        let fault = match kind {
            Some(kind) => namespace.name_fault(name, kind, has_buckets),
            None => [Kind::Counter, Kind::Histogram, Kind::Gauge]
                .into_iter()
                .filter_map(|kind| namespace.name_fault(name, kind, false))
                .find(|fault| *fault == NameFault::Malformed),
        };
        let Some(fault) = fault else { return };
        let (rule, caption) = match fault {
            NameFault::Malformed => (Rule::FamilyName, "not lower-case words joined by single `_`"),
            NameFault::CounterWithoutTotal => (Rule::CounterSuffix, "does not end in `_total`"),
            NameFault::HistogramWithoutUnit => (Rule::HistogramSuffix, "does not end in `_seconds` or `_bytes`"),
            NameFault::GaugeWithTotal => (Rule::GaugeSuffix, "ends in `_total`"),
        };
        let mut help = vec![self.in_namespace(fault.rule())];
        if fault == NameFault::GaugeWithTotal {
            help.push(self.in_namespace(&format!("exempt by name: {}", list(labels::TOTAL_GAUGES))));
        }
        let kind = kind.map_or("metric", Kind::as_str);
        self.report(rule, at, format!("`{name}` is not a good name for a {kind}"), caption, help, None);
    }

    /// Checks the bounds of a declaration, as far as they are literals.
    pub(super) fn buckets(&mut self, kind: Option<Kind>, name: &str, bounds: &[Expr]) {
        let Some(place) = bounds.first().and_then(|first| self.place(first)) else { return };
        let category = self.context.namespace.category(name);
        let told = if kind.is_some_and(|kind| kind != Kind::Histogram) {
            Some((place, "only a histogram has buckets".to_owned()))
        } else if !category.is_extensible() {
            let told = format!("`{}` has the bounds of the specification", category.pattern());
            Some((place, self.in_namespace(&told)))
        } else {
            let known: Option<Vec<f64>> = bounds.iter().map(number).collect();
            let fault = known
                .as_deref()
                .map_or((bounds.len() > labels::MOST_BOUNDS).then_some(BoundsFault::TooMany), labels::bounds_fault);
            fault.map(|fault| {
                let at = match fault {
                    BoundsFault::NotFinite(at) | BoundsFault::NotRising(at) => {
                        bounds.get(at).and_then(|bound| self.place(bound)).unwrap_or(place)
                    }
                    BoundsFault::Empty | BoundsFault::TooMany => place,
                };
                (at, fault.as_str().to_owned())
            })
        };
        if let Some((at, caption)) = told {
            let help = vec!["bounds are 1 to 30 finite numbers, rising: `buckets [1, 10, 100]`".to_owned()];
            self.report(
                Rule::HistogramBuckets,
                at,
                format!("the buckets of `{name}` are not good"),
                &caption,
                help,
                None,
            );
        }
    }

    pub(super) fn declared_before(&mut self, name: &str, at: &syn::LitStr) {
        let here = (self.context.file, at.span().byte_range().start + self.context.base);
        let names = self.context.names;
        let all = names.crates[names.modules[self.module].krate].families.get(name).into_iter().flatten();
        let all: Vec<_> = all.map(|(file, family)| ((*file, family.at), family)).collect();
        // A declaration in the body of a function is not in the list.
        let own = all.iter().find(|(at, _)| *at == here).map(|(_, own)| own.conditions.clone()).unwrap_or_default();
        let earlier = all.iter().filter(|(at, one)| *at < here && !are_opposite(&one.conditions, &own));
        let Some(((file, _), first)) = earlier.min_by_key(|(at, _)| *at) else { return };
        let place = format!("{}:{}", self.context.displays[*file], first.line);
        self.report(
            Rule::DuplicateFamily,
            here.1..here.1 + at.span().byte_range().len(),
            format!("the family `{name}` is declared twice in this crate"),
            "declared again",
            vec![format!("first declared at {place}; use that declaration, or choose another name")],
            None,
        );
    }

    pub(super) fn unresolved_list(&mut self, expr: &Expr) {
        let Some(place) = self.place(expr) else { return };
        self.report_at(
            Rule::UnresolvedLabel,
            place,
            format!("the labels `{}` are computed, so they cannot be checked", self.shown(expr)),
            "not a list of literals",
            vec!["give the labels as `\"label\" => value`, or use `families!`".to_owned()],
            None,
            tokens::has_variable(expr.to_token_stream()),
        );
    }

    pub(super) fn label(&mut self, names: &[String], at: &Expr, label: &Known, seen: &mut Vec<String>) {
        let place = self.place(at);
        match (label, place) {
            (Known::Built(name), Some(place)) => self.built(names, place, name, seen),
            (Known::Built(_), None) => {}
            (label, place) => match (label.clone().name(), place) {
                (Some(texts), Some(place)) => {
                    texts.iter().for_each(|text| self.label_text(names, text, place.clone(), seen));
                }
                (Some(_), None) => {
                    if let Some(place) = self.call_place() {
                        self.built(names, place, label, seen);
                    }
                }
                (None, Some(place)) => {
                    let depends = tokens::has_variable(at.to_token_stream());
                    self.unresolved_label(place, &self.shown(at), depends);
                }
                (None, None) => {}
            },
        }
    }

    /// `depends`: the label is computed from the arguments of the macro around it. So it is checked where that macro is called.
    pub(super) fn unresolved_label(&mut self, place: Range<usize>, shown: &str, depends: bool) {
        self.report_at(
            Rule::UnresolvedLabel,
            place,
            format!("the name of this label is computed (`{shown}`), so it cannot be checked"),
            "not a literal, nor a constant of this tree",
            vec!["name the label with a literal or a constant".to_owned()],
            None,
            depends,
        );
    }

    /// A label that is checked by itself where it is written: here it is checked against its family.
    fn built(&mut self, names: &[String], place: Range<usize>, label: &Known, seen: &mut Vec<String>) {
        for text in label.clone().name().unwrap_or_default() {
            let is_fine_alone = self.is_allowed("", &text);
            if is_fine_alone || seen.contains(&text) {
                self.label_text(names, &text, place.clone(), seen);
            } else {
                seen.push(text);
            }
        }
    }

    pub(super) fn label_text(&mut self, names: &[String], label: &str, at: Range<usize>, seen: &mut Vec<String>) {
        self.label_of(names, label, false, at, seen);
    }

    /// The same for a label that may be a closed set, which needs no list.
    pub(super) fn label_of(
        &mut self,
        names: &[String],
        label: &str,
        is_set: bool,
        at: Range<usize>,
        seen: &mut Vec<String>,
    ) {
        self.checked.labels += 1;
        if seen.iter().any(|known| known == label) {
            self.report(
                Rule::DuplicateLabel,
                at,
                format!("the label `{label}` is there twice"),
                "again",
                vec!["Prometheus refuses a series with two labels of one name: rename or remove one".to_owned()],
                Some(label),
            );
            return;
        }
        seen.push(label.to_owned());
        if labels::is_reserved(label) {
            let help = "`le`, `quantile` and `__*` belong to the exposition format and to Prometheus".to_owned();
            return self.report(
                Rule::ReservedLabel,
                at,
                format!("the label `{label}` is reserved"),
                "reserved",
                vec![help],
                Some(label),
            );
        }
        let none = [String::new()];
        let names = if names.is_empty() { &none[..] } else { names };
        let is_allowed =
            |name: &&String| is_set && self.context.namespace.allows_set(name, label) || self.is_allowed(name, label);
        if let Some(name) = names.iter().find(|name| !is_allowed(name)) {
            self.disallowed(Rule::DisallowedLabel, name, label, at);
        }
    }

    /// A label of another package's metrics, by the same list.
    pub(super) fn foreign_label(&mut self, label: &str, at: Range<usize>) {
        self.checked.labels += 1;
        if labels::is_reserved(label) || !self.is_allowed("", label) {
            self.disallowed(Rule::ForeignLabel, "", label, at);
        }
    }

    fn is_allowed(&self, name: &str, label: &str) -> bool {
        self.context.namespace.allows(name, label, self.context.extension)
    }

    /// A text of the facade, with the namespace of this tree. The text has the namespace that this program was built with.
    fn in_namespace(&self, text: &str) -> String {
        let quoted = |namespace: Namespace<'_>| format!("`{}_", namespace.as_str());
        text.replace(&quoted(Namespace::BUILD), &quoted(self.context.namespace))
    }

    fn disallowed(&mut self, rule: Rule, name: &str, label: &str, at: Range<usize>) {
        let on = if name.is_empty() { String::new() } else { format!(" on `{name}`") };
        if !labels::is_plain_label(label) {
            let message = format!("`{label}`{on} is no label");
            let help = vec!["a label has lower-case letters, digits and `_`, and no digit first".to_owned()];
            return self.report(rule, at, message, "no list can hold it", help, Some(label));
        }
        if labels::is_personal(label) {
            let message = format!("the label `{label}` is not allowed{on}");
            let help = vec!["leave it out, or use what is the same for many: a kind, a role, a region".to_owned()];
            return self.report(rule, at, message, "speaks of a person or of one request", help, Some(label));
        }
        let category = self.context.namespace.category(name);
        let own = labels::entries(self.context.extension).filter(|_| category.is_extensible());
        let allowed: Vec<&str> = category.core().iter().copied().chain(own).collect();
        let mut help = vec![format!("allowed: {}", list(&allowed))];
        if category.is_extensible() {
            help.push("as a closed set of `families!` it needs no list".to_owned());
            help.push(format!(
                "if its values are few and name nobody, add it to `{}` in `.cargo/config.toml`",
                labels::EXTENSION_VARIABLE
            ));
        } else {
            help.push("this category takes no other labels".to_owned());
        }
        self.report(rule, at, format!("the label `{label}` is not allowed{on}"), "not on the list", help, Some(label));
    }

    /// A pair that goes into something of unknown type, in a place where `Label` is in scope.
    pub(super) fn perhaps_a_label(&mut self, at: &Expr, texts: &[String]) {
        let Some(place) = self.place(at) else { return };
        for text in texts {
            if self.is_allowed("", text) {
                continue;
            }
            self.report(
                Rule::UnresolvedLabel,
                place.clone(),
                format!("if this becomes a label, `{text}` is not on the list"),
                "what it becomes is not known",
                vec!["build labels with `Label::new`, or declare the type of the list".to_owned()],
                Some(text),
            );
            if let Some(finding) = self.checked.findings.last_mut() {
                finding.is_guess = true;
            }
        }
    }

    pub(super) fn value(&mut self, expr: &Expr) {
        if let Some((ident, what)) = smell::of(expr)
            && let Some(place) = self.place(expr)
        {
            self.report(
                Rule::SuspiciousValue,
                place,
                format!("this label value looks like {what}"),
                &format!("because of `{ident}`"),
                vec!["use a value from a small, fixed set: a kind, a template, a class of results".to_owned()],
                None,
            );
        }
    }
}

/// The value of a literal, with a minus or without.
fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(int), .. }) => int.base10_digits().parse().ok(),
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Float(float), .. }) => float.base10_digits().parse().ok(),
        Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => number(expr).map(|value| -value),
        Expr::Paren(inner) => number(&inner.expr),
        Expr::Group(inner) => number(&inner.expr),
        _ => None,
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
