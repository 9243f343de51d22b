//! Labels of other packages' metrics: `prometheus`, OpenTelemetry, `prometheus-client`, and labels on every series.
//!
//! Only what is literal and can be nothing but a label is checked, by a rule of its own that can be switched off.

use proc_macro2::TokenStream;
use syn::Expr;

use super::{Checker, expressions};
use crate::{
    eval::Known,
    resolve::{Space, Target},
    value::{self, plain, segments},
};

impl Checker<'_> {
    /// The package that an item is of, if it is one of those known.
    fn foreign(&self, path: &[String], space: Space) -> Option<&'static str> {
        self.resolve(path, space).targets.into_iter().find_map(|target| match target {
            Target::Other(package, _) => Some(package),
            _ => None,
        })
    }

    /// `register_int_counter_vec!("name", "help", &["label"])`, `labels! { "label" => value }`. The arguments of the call are
    /// looked through afterwards too.
    pub(super) fn foreign_macro(&mut self, path: &[String], arguments: &TokenStream) -> bool {
        let Some(last) = path.last() else { return false };
        let is_vector = last.starts_with("register_") && (last.ends_with("_vec") || last.contains("_vec_with"));
        let is_labels = last == "labels";
        if !is_vector && !is_labels || self.foreign(path, Space::Macro) != Some("prometheus") {
            return false;
        }
        if is_labels {
            for pair in pairs(arguments) {
                self.foreign_text(&pair);
            }
            return false;
        }
        if let Some(all) = expressions(arguments.clone()) {
            all.iter().skip(1).for_each(|one| self.foreign_list(one, false));
        }
        false
    }

    /// `CounterVec::new(opts, &["label"])`, `MetricKeyValue::new("label", value)`.
    pub(super) fn foreign_function(&mut self, path: &[String], arguments: &[&Expr]) {
        let [.., owner, function] = path else { return };
        match (owner.as_str(), function.as_str(), arguments) {
            (_, "new", [_, list])
                if owner.ends_with("Vec")
                    && owner != "Vec"
                    && self.foreign(path, Space::Value) == Some("prometheus") =>
            {
                self.foreign_list(list, true);
            }
            ("KeyValue", "new", [label, _])
                if self.foreign(path, Space::Value) == Some("opentelemetry")
                    && self.place(label).is_none_or(|place| !self.attributes.contains(&place.start)) =>
            {
                let what = "`KeyValue`s of OpenTelemetry outside of `add`, `record` and `observe`";
                self.checked.not_looked_at.insert(what);
            }
            ("MetricKeyValue", "new", [label, value])
                if self.foreign(path, Space::Value) == Some("temporalio-common") =>
            {
                let known = self.known(&value::of(label));
                self.label(&[], label, &known, &mut Vec::new());
                self.value(value);
            }
            _ => {}
        }
    }

    /// `.add(1, &[KeyValue::new("label", v)])`, `.const_label("label", v)`, `.add_global_label("label", v)`.
    pub(super) fn foreign_method(&mut self, call: Option<&syn::ExprMethodCall>, method: &str, arguments: &[&Expr]) {
        match (method, arguments) {
            ("add" | "record" | "observe", [_, list]) => self.attributes(list),
            ("const_label", [label, _]) if self.has_type(call, "prometheus", &["Opts", "HistogramOpts"]) => {
                self.foreign_text(label);
            }
            ("add_global_label", [label, _])
                if self.has_type(call, "metrics-exporter-prometheus", &["PrometheusBuilder"]) =>
            {
                self.foreign_text(label);
            }
            _ => {}
        }
    }

    /// Whether one of these types of a package is in scope, or the chain of calls starts with a function of the package.
    fn has_type(&self, call: Option<&syn::ExprMethodCall>, package: &str, types: &[&str]) -> bool {
        let mut start = call.map(|call| &*call.receiver);
        while let Some(Expr::MethodCall(call)) = start {
            start = Some(&call.receiver);
        }
        if let Some(Expr::Call(call)) = start
            && let Expr::Path(path) = &*call.func
            && self.foreign(&value::qualified(path), Space::Value) == Some(package)
        {
            return true;
        }
        types.iter().any(|name| self.foreign(&[(*name).to_owned()], Space::Type) == Some(package))
    }

    /// The attributes of an instrument of OpenTelemetry. A `KeyValue` elsewhere belongs to a span or a resource.
    fn attributes(&mut self, list: &Expr) {
        let Expr::Reference(list) = list else { return };
        let Expr::Array(array) = &*list.expr else { return };
        for element in &array.elems {
            let Expr::Call(call) = element else { continue };
            let Expr::Path(path) = &*call.func else { continue };
            let path = value::qualified(path);
            let is_new = path.ends_with(&["KeyValue".to_owned(), "new".to_owned()]);
            if is_new
                && self.foreign(&path, Space::Value) == Some("opentelemetry")
                && let Some(label) = call.args.first()
            {
                self.attributes.extend(self.place(label).map(|place| place.start));
                self.foreign_text(label);
            }
        }
    }

    fn foreign_list(&mut self, list: &Expr, is_labels: bool) {
        let inner = match list {
            Expr::Reference(inner) => &*inner.expr,
            other => other,
        };
        match inner {
            Expr::Array(array) => array.elems.iter().for_each(|element| self.foreign_text(element)),
            _ if is_labels || matches!(list, Expr::Reference(_)) => {
                if let Known::List(all) = self.known(&value::of(list))
                    && let Some(place) = self.place(list)
                {
                    for text in all.into_iter().filter_map(Known::texts).flatten() {
                        self.foreign_label(&text, place.clone());
                    }
                }
            }
            _ => {}
        }
    }

    fn foreign_text(&mut self, label: &Expr) {
        if let (Some(texts), Some(place)) = (self.known(&value::of(label)).texts(), self.place(label)) {
            texts.iter().for_each(|text| self.foreign_label(text, place.clone()));
        }
    }

    /// The fields of `#[derive(EncodeLabelSet)]`; a `#[derive(Metrics)]` is not looked at, and the run says so.
    pub(super) fn derived(&mut self, attributes: &[syn::Attribute], fields: &syn::Fields) {
        for path in derives(attributes) {
            let Some(last) = path.last() else { continue };
            if last == "Metrics" && self.foreign(&path, Space::Macro).is_some() {
                self.checked.not_looked_at.insert("`#[derive(Metrics)]`");
            }
            if last != "EncodeLabelSet" || self.foreign(&path, Space::Macro).is_none() {
                continue;
            }
            for field in fields.iter().filter(|field| !field.attrs.iter().any(|one| one.path().is_ident("prometheus")))
            {
                if let Some(ident) = &field.ident
                    && let Some(place) = self.place(ident)
                {
                    self.foreign_label(&plain(ident), place);
                }
            }
        }
    }
}

/// The paths in `#[derive(..)]`.
fn derives(attributes: &[syn::Attribute]) -> Vec<value::Path> {
    let mut paths = Vec::new();
    for attribute in attributes.iter().filter(|one| one.path().is_ident("derive")) {
        let parser = syn::punctuated::Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
        if let Ok(all) = attribute.parse_args_with(parser) {
            paths.extend(all.iter().map(segments));
        }
    }
    paths
}

/// The keys of `"key" => value, ..`
fn pairs(tokens: &TokenStream) -> Vec<Expr> {
    struct Pairs(Vec<Expr>);
    impl syn::parse::Parse for Pairs {
        fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
            let mut keys = Vec::new();
            while !input.is_empty() {
                keys.push(input.parse()?);
                input.parse::<syn::Token![=>]>()?;
                input.parse::<Expr>()?;
                input.parse::<Option<syn::Token![,]>>()?;
            }
            Ok(Self(keys))
        }
    }
    syn::parse2::<Pairs>(tokens.clone()).map(|pairs| pairs.0).unwrap_or_default()
}
