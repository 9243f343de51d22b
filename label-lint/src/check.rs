//! Finds the places of a file that attach a label or name a family, and holds them against the rules.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    sync::Arc,
};

use compozy_monitoring::labels::{self, Category, Kind, NameFault};
use proc_macro2::{Span, TokenStream};
use syn::{
    Expr, FnArg, Pat, Token,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
    spanned::Spanned,
    visit::Visit,
};

use crate::{
    families,
    finding::{Finding, Place, Text},
    names::{Def, Found, Names, self_type},
    rules::Rule,
    smell, tokens,
    tokens::Call,
    value::{self, Path, Value, plain, segments},
};

/// Words without one of which a file has nothing to check.
pub const WORDS: &[&str] =
    &["counter", "gauge", "histogram", "Label", "Key", "families", "extra_labels", "key_var", "label-lint:"];

/// Where a file stands in the tree.
pub struct Context<'a> {
    pub names: &'a Names,
    pub unit: usize,
    pub module: Path,
    /// The number of the file, and the crate root that it belongs to.
    pub file: usize,
    pub root: &'a str,
    pub display: Arc<str>,
    /// What every file is called, by number.
    pub displays: &'a [Arc<str>],
    /// The application's own labels.
    pub extension: &'a str,
    /// Names without any of [`WORDS`] that stand for something that has one, and the statics of `families!`.
    pub aliases: &'a BTreeSet<String>,
}

impl Context<'_> {
    /// Whether a name may stand for something of `metrics` or the facade: most do not, and are not looked up.
    fn may_matter(&self, name: &str) -> bool {
        WORDS.iter().any(|word| name.contains(word)) || self.aliases.contains(name)
    }
}

/// The findings of a file, `allow` comments not yet heeded.
pub fn check(context: &Context<'_>, text: &Text<'_>, file: &syn::File) -> Vec<Finding> {
    let module = context.module.clone();
    let mut checker = Checker { context, text, module, self_type: None, locals: Vec::new(), findings: Vec::new() };
    checker.visit_file(file);
    checker.findings
}

struct Checker<'a> {
    context: &'a Context<'a>,
    text: &'a Text<'a>,
    module: Path,
    self_type: Option<String>,
    /// The variables of the functions around: what they hold, if that is known.
    locals: Vec<HashMap<String, Value>>,
    findings: Vec<Finding>,
}

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

impl Metric {
    /// Whether it can be nothing but a metric: its macro is known by its name only.
    fn is_typical(&self) -> bool {
        let is_text = |expr: &Expr| matches!(expr, Expr::Lit(lit) if matches!(lit.lit, syn::Lit::Str(_)));
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

/// The functions of `Label` and `Key` that take labels or a name.
const FUNCTIONS: &[&str] = &[
    "new",
    "from",
    "from_static_parts",
    "from_parts",
    "from_static_labels",
    "from_name",
    "from_static_name",
    "with_extra_labels",
];

fn is_interesting(path: &[String]) -> bool {
    path.len() > 1 && path.last().is_some_and(|last| FUNCTIONS.contains(&last.as_str()))
}

fn is_labelling(method: &str) -> bool {
    method == "with" || method == "with_extra_labels"
}

fn expressions(tokens: TokenStream) -> Vec<Expr> {
    let parsed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens);
    parsed.map(|all| all.into_iter().collect()).unwrap_or_default()
}

fn range(item: &impl Spanned) -> Range<usize> {
    item.span().byte_range()
}

/// Ways to attach labels.
impl Checker<'_> {
    fn resolve(&self, path: &[String]) -> Found<'_> {
        self.context.names.resolve(self.context.unit, &self.module, path)
    }

    fn macro_call(&mut self, path: &[String], arguments: &TokenStream, at: Span) {
        let Some(last) = path.last().filter(|last| self.context.may_matter(last)) else { return };
        let (item, certain) = match self.resolve(path) {
            Found::Metrics(item) | Found::Facade(item) => (item.last().cloned(), true),
            Found::Unknown if path.len() == 1 && !self.context.names.has_macro(self.context.unit, last) => {
                (Some(last.clone()), false)
            }
            _ => return,
        };
        let Some(item) = item else { return };
        if item == "families" {
            return self.families(arguments, certain, at);
        }
        let described = item.strip_prefix("describe_");
        let kind = kind_of(described.unwrap_or(&item));
        if kind.is_none() && item != "key_var" {
            return;
        }
        if described.is_some() {
            return self.description(kind, arguments, certain);
        }
        match syn::parse2::<Metric>(arguments.clone()) {
            Ok(metric) if certain || metric.is_typical() => self.metric(kind, &metric),
            Ok(_) => {}
            Err(_) if certain => self.unreadable(&item, at),
            Err(_) => {}
        }
    }

    fn description(&mut self, kind: Option<Kind>, arguments: &TokenStream, certain: bool) {
        if let Some(name) = expressions(arguments.clone()).first()
            && (certain || matches!(name, Expr::Lit(_)))
        {
            self.name(kind, name);
        }
    }

    fn unreadable(&mut self, item: &str, at: Span) {
        self.report(
            Rule::UnresolvedName,
            at.byte_range(),
            format!("the arguments of `{item}!` cannot be read, so neither name nor labels are checked"),
            "not readable",
            vec!["write the name and the labels as `\"name\", \"label\" => value`".to_owned()],
            None,
        );
    }

    fn metric(&mut self, kind: Option<Kind>, metric: &Metric) {
        let names = self.name(kind, &metric.name);
        let mut seen = Vec::new();
        for (label, value) in &metric.labels {
            match value {
                Some(value) => {
                    self.label(&names, label, &value::of(label), &mut seen);
                    self.value(value);
                }
                None => self.list(&names, label, &mut seen),
            }
        }
    }

    fn function_call(&mut self, path: &[String], arguments: &[&Expr]) {
        if !path.iter().any(|segment| self.context.may_matter(segment)) {
            return;
        }
        let Found::Metrics(item) = self.resolve(path) else { return };
        let [owner, function] = item.as_slice() else { return };
        match (owner.as_str(), function.as_str(), arguments) {
            ("Label", "new" | "from_static_parts", [label, value]) | ("MetricKeyValue", "new", [label, value]) => {
                self.pair(label, value);
            }
            ("Label", "from", [Expr::Tuple(pair)]) if pair.elems.len() == 2 => {
                self.pair(&pair.elems[0], &pair.elems[1])
            }
            ("Key", "from_parts" | "from_static_parts" | "from_static_labels", [name, list]) => self.key(name, list),
            ("Key", "from", [Expr::Tuple(parts)]) if parts.elems.len() == 2 => {
                self.key(&parts.elems[0], &parts.elems[1])
            }
            ("Key", "from_name" | "from_static_name" | "from", [name]) => {
                self.name(None, name);
            }
            ("Key", "with_extra_labels", [_, list]) => self.list(&[], list, &mut Vec::new()),
            _ => {}
        }
    }

    fn method_call(&mut self, receiver: &[String], method: &str, arguments: &[&Expr]) {
        if method == "with_extra_labels" {
            if let [list] = arguments {
                self.list(&[], list, &mut Vec::new());
            }
        } else if method == "with"
            && receiver.last().is_some_and(|last| self.context.aliases.contains(last))
            && matches!(self.resolve(receiver), Found::Def(Def::Family, ..))
        {
            arguments.iter().for_each(|argument| self.value(argument));
        }
    }

    fn pair(&mut self, label: &Expr, value: &Expr) {
        self.label(&[], label, &value::of(label), &mut Vec::new());
        self.value(value);
    }

    fn key(&mut self, name: &Expr, list: &Expr) {
        let names = self.name(None, name);
        self.list(&names, list, &mut Vec::new());
    }

    fn families(&mut self, arguments: &TokenStream, certain: bool, at: Span) {
        let block = match families::parse(arguments.clone()) {
            Ok(block) => block,
            Err(_) if certain => return self.unreadable("families", at),
            Err(_) => return,
        };
        for family in block {
            let name = family.metric.value();
            self.name_text(kind_of(&plain(&family.kind)), &name, range(&family.metric));
            self.declared_before(&name, &family.metric);
            let mut seen = Vec::new();
            for label in &family.labels {
                self.label_text(std::slice::from_ref(&name), &plain(label), range(label), &mut seen);
            }
        }
    }

    fn declared_before(&mut self, name: &str, at: &syn::LitStr) {
        let line = at.span().start().line;
        let all = self.context.names.units[self.context.unit].families.get(name).into_iter().flatten();
        let first = all.filter(|(root, ..)| root == self.context.root).map(|(_, file, line)| (*file, *line)).min();
        let Some((file, first_line)) = first else { return };
        if (file, first_line) < (self.context.file, line) {
            let place = format!("{}:{first_line}", self.context.displays[file]);
            self.report(
                Rule::DuplicateFamily,
                range(at),
                format!("the family `{name}` is declared twice in this crate"),
                "declared again",
                vec![format!("first declared at {place}; use that declaration, or choose another name")],
                None,
            );
        }
    }
}

/// The rules.
impl Checker<'_> {
    /// Checks the name of a metric and gives what it may be.
    fn name(&mut self, kind: Option<Kind>, expr: &Expr) -> Vec<String> {
        let Some(names) = self.texts(&value::of(expr)) else {
            self.report(
                Rule::UnresolvedName,
                range(expr),
                format!("the name of this metric is computed (`{}`), so it cannot be checked", self.shown(expr)),
                "not a literal, nor a constant of this tree",
                vec!["name the metric with a literal, a constant or `families!`".to_owned()],
                None,
            );
            return Vec::new();
        };
        for name in &names {
            self.name_text(kind, name, range(expr));
        }
        names
    }

    fn name_text(&mut self, kind: Option<Kind>, name: &str, at: Range<usize>) {
        let fault = match kind {
            Some(kind) => labels::name_fault(name, kind),
            None => [Kind::Counter, Kind::Histogram, Kind::Gauge]
                .into_iter()
                .filter_map(|kind| labels::name_fault(name, kind))
                .find(|fault| *fault == NameFault::Malformed),
        };
        let Some(fault) = fault else { return };
        let (rule, caption) = match fault {
            NameFault::Malformed => (Rule::FamilyName, "not lower-case words joined by single `_`"),
            NameFault::CounterWithoutTotal => (Rule::CounterSuffix, "does not end in `_total`"),
            NameFault::HistogramWithoutSeconds => (Rule::HistogramSuffix, "does not end in `_seconds`"),
            NameFault::GaugeWithTotal => (Rule::GaugeSuffix, "ends in `_total`"),
        };
        let mut help = vec![fault.rule().to_owned()];
        if fault == NameFault::GaugeWithTotal {
            help.push(format!("exempt by name: {}", list(labels::TOTAL_GAUGES)));
        }
        let kind = kind.map_or("metric", Kind::as_str);
        self.report(rule, at, format!("`{name}` is not a good name for a {kind}"), caption, help, None);
    }

    fn list(&mut self, names: &[String], expr: &Expr, seen: &mut Vec<String>) {
        match expr {
            Expr::Reference(inner) => return self.list(names, &inner.expr, seen),
            Expr::Paren(inner) => return self.list(names, &inner.expr, seen),
            Expr::Array(array) => return array.elems.iter().for_each(|element| self.element(names, element, seen)),
            Expr::Macro(call) if call.mac.path.is_ident("vec") => {
                let elements = expressions(call.mac.tokens.clone());
                return elements.iter().for_each(|element| self.element(names, element, seen));
            }
            _ => {}
        }
        match self.labels(&value::of(expr), 0) {
            Some(found) => found.iter().for_each(|label| self.label(names, expr, label, seen)),
            None => self.unresolved_list(expr),
        }
    }

    fn unresolved_list(&mut self, expr: &Expr) {
        self.report(
            Rule::UnresolvedLabel,
            range(expr),
            format!("the labels `{}` are computed, so they cannot be checked", self.shown(expr)),
            "not a list of literals",
            vec!["give the labels as `\"label\" => value`, or use `families!`".to_owned()],
            None,
        );
    }

    fn element(&mut self, names: &[String], element: &Expr, seen: &mut Vec<String>) {
        if let Expr::Tuple(tuple) = element
            && tuple.elems.len() == 2
        {
            self.label(names, &tuple.elems[0], &value::of(&tuple.elems[0]), seen);
            return self.value(&tuple.elems[1]);
        }
        self.label(names, element, &value::element(element), seen);
    }

    fn label(&mut self, names: &[String], at: &Expr, label: &Value, seen: &mut Vec<String>) {
        if let Value::Built(label) = label {
            return self.built(names, at, label, seen);
        }
        let Some(texts) = self.texts(label) else {
            let shown = self.shown(at);
            return self.report(
                Rule::UnresolvedLabel,
                range(at),
                format!("the name of this label is computed (`{shown}`), so it cannot be checked"),
                "not a literal, nor a constant of this tree",
                vec!["name the label with a literal or a constant".to_owned()],
                None,
            );
        };
        for text in texts {
            self.label_text(names, &text, range(at), seen);
        }
    }

    /// A label that is checked where it is built, here against its family.
    fn built(&mut self, names: &[String], at: &Expr, label: &Value, seen: &mut Vec<String>) {
        for text in self.texts(label).unwrap_or_default() {
            let is_fine_alone = labels::is_allowed_with("", &text, self.context.extension);
            if is_fine_alone || seen.contains(&text) {
                self.label_text(names, &text, range(at), seen);
            } else {
                seen.push(text);
            }
        }
    }

    fn label_text(&mut self, names: &[String], label: &str, at: Range<usize>, seen: &mut Vec<String>) {
        if seen.iter().any(|known| known == label) {
            self.report(
                Rule::DuplicateLabel,
                at.clone(),
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
        if let Some(name) = names.iter().find(|name| !labels::is_allowed_with(name, label, self.context.extension)) {
            self.disallowed(name, label, at);
        }
    }

    fn disallowed(&mut self, name: &str, label: &str, at: Range<usize>) {
        let category = Category::of(name);
        let own = labels::entries(self.context.extension).filter(|_| category.is_extensible());
        let allowed: Vec<&str> = category.core().iter().copied().chain(own).collect();
        let on = if name.is_empty() { String::new() } else { format!(" on `{name}`") };
        let mut help = vec![format!("allowed: {}", list(&allowed))];
        help.push(if category.is_extensible() {
            format!(
                "if its values are few and name nobody, add it to `{}` in `.cargo/config.toml`",
                labels::EXTENSION_VARIABLE
            )
        } else {
            "this category takes no other labels".to_owned()
        });
        let message = format!("the label `{label}` is not allowed{on}");
        self.report(Rule::DisallowedLabel, at, message, "not on the list", help, Some(label));
    }

    fn value(&mut self, expr: &Expr) {
        if let Some((ident, what)) = smell::of(expr) {
            self.report(
                Rule::SuspiciousValue,
                range(expr),
                format!("this label value looks like {what}"),
                &format!("because of `{ident}`"),
                vec!["use a value from a small, fixed set: a kind, a template, a class of results".to_owned()],
                None,
            );
        }
    }

    /// The source of an expression, on one line.
    fn shown(&self, expr: &Expr) -> String {
        if let Expr::Path(path) = expr
            && let Some(ident) = path.path.get_ident()
            && let Some(variable) = tokens::variable(&ident.to_string())
        {
            return format!("${variable}");
        }
        let source = self.text.source.get(range(expr)).unwrap_or_default();
        let words = source.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.chars().count() > 60 { words.chars().take(57).chain("...".chars()).collect() } else { words }
    }

    fn report(
        &mut self,
        rule: Rule,
        at: Range<usize>,
        message: String,
        caption: &str,
        help: Vec<String>,
        label: Option<&str>,
    ) {
        self.findings.push(Finding {
            rule,
            file: self.context.display.clone(),
            place: Some(Place::new(self.text, at)),
            message,
            caption: caption.to_owned(),
            help,
            label: label.map(str::to_owned),
        });
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How far constants are followed.
const MAX_HOPS: usize = 16;
/// How many texts an expression may stand for.
const MAX_TEXTS: usize = 64;

/// What values stand for.
impl Checker<'_> {
    fn texts(&self, value: &Value) -> Option<Vec<String>> {
        self.texts_in(value, self.context.unit, &self.module, MAX_HOPS)
    }

    fn texts_in(&self, value: &Value, unit: usize, module: &[String], hops: usize) -> Option<Vec<String>> {
        let hops = hops.checked_sub(1)?;
        let texts = match value {
            Value::Text(text) => vec![text.clone()],
            Value::OneOf(arms) => {
                let arms = arms.iter().map(|arm| self.texts_in(arm, unit, module, hops)).collect::<Option<Vec<_>>>()?;
                arms.concat()
            }
            Value::Concat(parts) => {
                let mut texts = vec![String::new()];
                for part in parts {
                    let ends = self.texts_in(part, unit, module, hops)?;
                    texts = texts.iter().flat_map(|text| ends.iter().map(move |end| format!("{text}{end}"))).collect();
                    if texts.len() > MAX_TEXTS {
                        return None;
                    }
                }
                texts
            }
            Value::Path(path) => {
                let (value, unit, module) = self.constant(path, unit, module)?;
                self.texts_in(&value, unit, &module, hops)?
            }
            Value::Labels(_) | Value::Built(_) | Value::Unknown => return None,
        };
        (texts.len() <= MAX_TEXTS).then_some(texts)
    }

    /// The names in a list of labels.
    fn labels(&self, value: &Value, hops: usize) -> Option<Vec<Value>> {
        match value {
            Value::Labels(labels) => Some(labels.clone()),
            Value::Path(path) if hops < MAX_HOPS => {
                let (value, ..) = self.constant(path, self.context.unit, &self.module)?;
                self.labels(&value, hops + 1)
            }
            _ => None,
        }
    }

    /// The value of a constant or a variable, and where it was defined.
    fn constant(&self, path: &[String], unit: usize, module: &[String]) -> Option<(Value, usize, Path)> {
        if let [name] = path
            && let Some(value) = self.locals.iter().rev().find_map(|locals| locals.get(name))
        {
            return Some((value.clone(), unit, module.to_vec()));
        }
        let path = match (path.split_first(), &self.self_type) {
            (Some((first, rest)), Some(name)) if first == "Self" => [std::slice::from_ref(name), rest].concat(),
            _ => path.to_vec(),
        };
        if let Found::Def(Def::Value(value), unit, module) = self.context.names.resolve(unit, module, &path) {
            return Some((value.clone(), unit, module));
        }
        let is_constant = path.last().is_some_and(|last| !last.contains(char::is_lowercase));
        let mut candidates = self.context.names.constants(unit, &path).into_iter().filter(|_| is_constant);
        let (value, module) = candidates.next()?;
        candidates.all(|(other, _)| other == value).then(|| (value.clone(), unit, module))
    }
}

/// The variables of a function that are bound once, to something that syntax can tell.
fn locals(inputs: &Punctuated<FnArg, Token![,]>, block: &syn::Block) -> HashMap<String, Value> {
    #[derive(Default)]
    struct Bindings {
        counts: HashMap<String, usize>,
        values: HashMap<String, Value>,
    }
    impl Visit<'_> for Bindings {
        fn visit_pat_ident(&mut self, pat: &syn::PatIdent) {
            *self.counts.entry(plain(&pat.ident)).or_default() += 1;
        }

        fn visit_local(&mut self, local: &syn::Local) {
            let (pat, ty) = match &local.pat {
                Pat::Type(typed) => (&*typed.pat, Some(&*typed.ty)),
                pat => (pat, None),
            };
            if let (Pat::Ident(pat), Some(init)) = (pat, &local.init) {
                let value = value::of_typed(ty, &init.expr);
                let value = if pat.mutability.is_some() { grown(value) } else { value };
                self.values.insert(plain(&pat.ident), value);
            }
            syn::visit::visit_local(self, local);
        }

        fn visit_fn_arg(&mut self, argument: &FnArg) {
            if let FnArg::Typed(typed) = argument
                && let Pat::Ident(pat) = &*typed.pat
                && value::holds_labels(&typed.ty)
            {
                self.values.insert(plain(&pat.ident), value::some_labels());
            }
            syn::visit::visit_fn_arg(self, argument);
        }

        fn visit_item(&mut self, _: &syn::Item) {}
    }
    let mut bindings = Bindings::default();
    inputs.iter().for_each(|input| bindings.visit_fn_arg(input));
    bindings.visit_block(block);
    let Bindings { counts, mut values } = bindings;
    counts
        .into_iter()
        .map(|(name, count)| {
            let value = values.remove(&name).filter(|_| count == 1).unwrap_or(Value::Unknown);
            (name, value)
        })
        .collect()
}

/// The value of a variable that may change: a list of `Label`s gets more of them, each checked where it is built.
fn grown(value: Value) -> Value {
    match value {
        Value::Labels(mut labels) => {
            if labels.is_empty() || labels.iter().any(|label| !matches!(label, Value::Built(_))) {
                labels.push(Value::Unknown);
            }
            Value::Labels(labels)
        }
        _ => Value::Unknown,
    }
}

impl Visit<'_> for Checker<'_> {
    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        self.module.push(plain(&item.ident));
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        let outer = std::mem::replace(&mut self.self_type, self_type(item));
        syn::visit::visit_item_impl(self, item);
        self.self_type = outer;
    }

    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        self.locals.push(locals(&item.sig.inputs, &item.block));
        syn::visit::visit_item_fn(self, item);
        self.locals.pop();
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.locals.push(locals(&item.sig.inputs, &item.block));
        syn::visit::visit_impl_item_fn(self, item);
        self.locals.pop();
    }

    fn visit_trait_item_fn(&mut self, item: &syn::TraitItemFn) {
        let known = item.default.as_ref().map(|block| locals(&item.sig.inputs, block));
        self.locals.push(known.unwrap_or_default());
        syn::visit::visit_trait_item_fn(self, item);
        self.locals.pop();
    }

    fn visit_macro(&mut self, mac: &syn::Macro) {
        let arguments = tokens::without_variables(mac.tokens.clone());
        self.macro_call(&segments(&mac.path), &arguments, mac.path.span());
        tokens::search(arguments, &mut |call, at| match call {
            Call::Macro(path, arguments) => self.macro_call(&path, &arguments, at),
            Call::Function(path, arguments) if is_interesting(&path) => {
                self.function_call(&path, &expressions(arguments).iter().collect::<Vec<_>>());
            }
            Call::Method(receiver, method, arguments) if is_labelling(&method) => {
                self.method_call(&receiver, &method, &expressions(arguments).iter().collect::<Vec<_>>());
            }
            Call::Function(..) | Call::Method(..) => {}
        });
    }

    fn visit_expr_call(&mut self, call: &syn::ExprCall) {
        if let Expr::Path(path) = &*call.func {
            let path = segments(&path.path);
            if is_interesting(&path) {
                self.function_call(&path, &call.args.iter().collect::<Vec<_>>());
            }
        }
        syn::visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        if is_labelling(&plain(&call.method)) {
            let receiver = match &*call.receiver {
                Expr::Path(path) => segments(&path.path),
                _ => Path::new(),
            };
            self.method_call(&receiver, &plain(&call.method), &call.args.iter().collect::<Vec<_>>());
        }
        syn::visit::visit_expr_method_call(self, call);
    }
}
