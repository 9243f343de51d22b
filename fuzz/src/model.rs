//! What a storage should hold, written down a second time and as simply as it can be: maps, no cells, no caches.

use std::collections::{BTreeMap, btree_map::Entry};

use compozy_monitoring::labels;

use crate::text::{Families, Labels};

/// How many series a family may have in a service for tests.
pub const CAP: usize = 2_000;
const BOUNDS: [&str; 11] = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Copy, Debug)]
pub enum Op {
    Increment(u64),
    Absolute(u64),
    Add(f64),
    Set(f64),
    Record(f64, u64),
}

impl Op {
    pub fn kind(self) -> Kind {
        match self {
            Self::Increment(_) | Self::Absolute(_) => Kind::Counter,
            Self::Add(_) | Self::Set(_) => Kind::Gauge,
            Self::Record(..) => Kind::Histogram,
        }
    }
}

/// A declared label: its name, and its values when they are a closed set.
pub type Declared = (&'static str, Option<&'static [&'static str]>);

/// A declared family.
#[derive(Debug)]
pub struct Def {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub labels: &'static [Declared],
}

#[derive(Clone, Copy, Debug, Default)]
struct Value {
    whole: u64,
    number: f64,
    buckets: [u64; BOUNDS.len() + 1],
    touched: bool,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    def: Option<&'static Def>,
    series: BTreeMap<Labels, Value>,
    /// What stands for all over the cap; one of the series, or beside them.
    overflow: Option<(Labels, bool)>,
}

impl Family {
    fn is_dense(&self) -> bool {
        self.def.is_some_and(|def| def.labels.iter().all(|(_, values)| values.is_some()))
    }

    fn is_summary(&self, name: &str) -> bool {
        self.kind == Kind::Histogram && self.def.is_none() && !name.ends_with("_seconds")
    }
}

#[derive(Debug, Default)]
pub struct Model {
    families: BTreeMap<String, Family>,
    help: BTreeMap<String, String>,
    /// Samples that are no numbers: errors from the next render on.
    dropped: u64,
    pub errors: u64,
    pub rejected: u64,
    pub overflowed: u64,
}

impl Model {
    /// A declared family is touched; whether it may record under its name, as itself or as an open one.
    pub fn declare(&mut self, def: &'static Def) -> bool {
        if !self.families.contains_key(def.name) && !self.collides(def.name, def.kind) {
            let series = match dense(def) {
                Some(all) => all.into_iter().map(|labels| (labels, Value::default())).collect(),
                None => BTreeMap::new(),
            };
            let family = Family { kind: def.kind, def: Some(def), series, overflow: None };
            self.families.insert(def.name.to_owned(), family);
        }
        let own = self.families.get(def.name).filter(|own| own.kind == def.kind);
        match own.map(|own| own.def.is_some()) {
            None => {
                self.errors += 1;
                false
            }
            Some(declared) => {
                if !declared {
                    self.describe(def.name, def.help);
                }
                true
            }
        }
    }

    /// A record through the handle of a declared family.
    pub fn family(&mut self, def: &'static Def, values: &[&str], op: Op) {
        if !self.declare(def) {
            return;
        }
        let labels: Vec<_> = def.labels.iter().map(|(name, _)| *name).zip(values.iter().copied()).collect();
        if self.families[def.name].def.is_some() {
            self.declared(def.name, values, op);
        } else {
            self.key(def.name, &labels, op);
        }
    }

    /// A record by name and labels.
    pub fn key(&mut self, name: &str, labels: &[(&str, &str)], op: Op) {
        let name = metric_name(name);
        if !self.families.contains_key(&name) {
            if self.collides(&name, op.kind()) {
                self.errors += 1;
                return;
            }
            let family = Family { kind: op.kind(), def: None, series: BTreeMap::new(), overflow: None };
            self.families.insert(name.clone(), family);
        }
        let family = &self.families[&name];
        if family.kind != op.kind() {
            self.errors += 1;
        } else if let Some(def) = family.def {
            let last = |wanted: &str| labels.iter().rposition(|(label, _)| *label == wanted);
            let used: Vec<_> = def.labels.iter().map(|(label, _)| last(label)).collect();
            let is_used = |index: usize| used.contains(&Some(index));
            self.rejected += (0..labels.len()).filter(|index| !is_used(*index)).count() as u64;
            let values: Vec<_> = used.iter().map(|index| index.map_or("", |index| labels[index].1)).collect();
            self.declared(&name, &values, op);
        } else {
            self.open(&name, labels, op);
        }
    }

    fn declared(&mut self, name: &str, values: &[&str], op: Op) {
        let Some(family) = self.families.get_mut(name) else { return };
        let Some(def) = family.def else { return };
        let is_stray = |(label, value): (&Declared, &&str)| label.1.is_some_and(|known| !known.contains(value));
        let strays = def.labels.iter().zip(values).filter(|pair| is_stray(*pair)).count();
        self.rejected += strays as u64;
        if strays > 0 && op.kind() == Kind::Gauge {
            return;
        }
        let value = |pair: (&Declared, &&str)| if is_stray(pair) { "other".to_owned() } else { (*pair.1).to_owned() };
        let pairs = def.labels.iter().zip(values);
        let raw: Vec<(&str, String)> = pairs.map(|pair| (pair.0.0, value(pair))).collect();
        let all_other = || def.labels.iter().map(|(label, _)| ((*label).to_owned(), "other".to_owned())).collect();
        if family.is_dense() {
            let labels: Labels = raw.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            // A stray among good ones: the whole goes to where all are `other`.
            let labels = if strays > 0 && !family.series.contains_key(&labels) { all_other() } else { labels };
            self.dropped += apply(family.series.entry(labels).or_default(), op);
        } else {
            let labels = raw.into_iter().map(|(name, value)| (name.to_owned(), clean(&value))).collect();
            self.capped(name, labels, all_other(), op);
        }
    }

    fn open(&mut self, name: &str, given: &[(&str, &str)], op: Op) {
        // The last of two that are written alike, and of two that become one, the one that was called so.
        let last: BTreeMap<_, _> = given.iter().copied().collect();
        self.rejected += (given.len() - last.len()) as u64;
        let (exact, other): (Vec<_>, Vec<_>) = last.into_iter().partition(|(label, _)| label_name(label) == **label);
        let mut labels = Labels::new();
        for (written, value) in exact.into_iter().chain(other) {
            let mut label = label_name(written);
            while is_reserved(&valid_label_name(written)) && labels.contains_key(&label) {
                label.insert_str(0, "exported_");
            }
            if labels.contains_key(&label) || labels::is_ours(name) && !labels::is_allowed(name, &label) {
                self.rejected += 1;
                continue;
            }
            labels.insert(label, clean(value));
        }
        labels.retain(|_, value| !value.is_empty());
        let other = labels.keys().map(|name| (name.clone(), "other".to_owned())).collect();
        self.capped(name, labels, other, op);
    }

    fn capped(&mut self, name: &str, labels: Labels, other: Labels, op: Op) {
        let Some(family) = self.families.get_mut(name) else { return };
        let beside = family.overflow.as_ref().filter(|(_, is_own)| !is_own).map(|(labels, _)| labels);
        let own = family.series.len() - usize::from(beside.is_some());
        let is_own = family.series.contains_key(&labels) && beside != Some(&labels);
        let labels = if is_own || own < CAP {
            labels
        } else {
            self.overflowed += 1;
            if op.kind() == Kind::Gauge {
                return;
            }
            let is_own = family.series.contains_key(&other);
            family.overflow.get_or_insert((other, is_own)).0.clone()
        };
        let is_summary = family.is_summary(name);
        let value = family.series.entry(labels).or_default();
        match op {
            // A summary takes one sample after the other, and none that is not finite.
            Op::Record(sample, times) if is_summary && !sample.is_finite() => self.dropped += times,
            Op::Record(sample, times) if is_summary => (0..times).for_each(|_| _ = apply(value, Op::Record(sample, 1))),
            op => self.dropped += apply(value, op),
        }
    }

    /// The first description of a name that nobody declared stays.
    pub fn describe(&mut self, name: &str, text: &str) {
        let name = metric_name(name);
        if self.families.get(&name).is_some_and(|family| family.def.is_some()) {
            return;
        }
        if let Entry::Vacant(entry) = self.help.entry(name) {
            entry.insert(text.to_owned());
        }
    }

    /// A histogram prints under three more names.
    fn collides(&self, name: &str, kind: Kind) -> bool {
        const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];
        let is_histogram = |name: &str| self.families.get(name).is_some_and(|known| known.kind == Kind::Histogram);
        PARTS.iter().any(|part| name.strip_suffix(part).is_some_and(is_histogram))
            || kind == Kind::Histogram && PARTS.iter().any(|part| self.families.contains_key(&format!("{name}{part}")))
    }

    /// Compares with what was exposed; the families of monitoring itself are left out but for what they count.
    pub fn compare(&mut self, exposed: &Families) {
        self.errors += std::mem::take(&mut self.dropped);
        let counted = |name: &str| {
            exposed.get(name).and_then(|family| family.samples.values().next().copied()).unwrap_or(f64::NAN)
        };
        assert_eq!(counted("compozy_monitoring_errors_total"), self.errors as f64, "errors");
        assert_eq!(counted("compozy_monitoring_rejected_labels_total"), self.rejected as f64, "rejected labels");
        assert_eq!(counted("compozy_monitoring_overflowed_series_total"), self.overflowed as f64, "overflowed");
        assert_eq!(counted("compozy_monitoring_health"), if self.errors > 0 { 0.0 } else { 1.0 }, "health");

        let own = ["compozy_monitoring_", "compozy_uptime_seconds_total", "compozy_http_requests_in_flight"];
        let is_own = |name: &&String| own.iter().any(|own| name.starts_with(own));
        let printed: Vec<_> = self.families.iter().filter(|(_, family)| is_printed(family)).collect();
        let names: Vec<_> = printed.iter().map(|(name, _)| *name).collect();
        assert_eq!(exposed.keys().filter(|name| !is_own(name)).collect::<Vec<_>>(), names);
        for (name, family) in printed {
            self.compare_family(name, family, &exposed[name]);
        }
    }

    fn compare_family(&self, name: &str, family: &Family, exposed: &crate::text::Family) {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram if family.is_summary(name) => "summary",
            Kind::Histogram => "histogram",
        };
        assert_eq!(exposed.kind, kind, "{name}");
        let help = family.def.map(|def| def.help).or_else(|| self.help.get(name).map(String::as_str));
        assert_eq!(exposed.help, Some(clean_help(help.unwrap_or("Not described"))), "{name}");
        let mut expected = BTreeMap::new();
        for (labels, value) in family.series.iter().filter(|(labels, value)| is_shown(family, labels, value)) {
            // To Prometheus, empty is absent, but it is printed.
            let mut put = |suffix: &str, extra: Option<&str>, value: f64| {
                let mut labels = labels.clone();
                labels.extend(extra.map(|le| ("le".to_owned(), le.to_owned())));
                expected.insert((format!("{name}{suffix}"), labels), value);
            };
            match kind {
                "counter" => put("", None, value.whole as f64),
                "gauge" => put("", None, value.number),
                _ => {
                    let mut total = 0u64;
                    for (bucket, le) in value.buckets.iter().zip(BOUNDS.iter().copied().chain(["+Inf"])) {
                        total = total.wrapping_add(*bucket);
                        if kind == "histogram" {
                            put("_bucket", Some(le), total as f64);
                        }
                    }
                    put("_sum", None, value.number);
                    put("_count", None, total as f64);
                }
            }
        }
        let is_quantile = |sample: &str, labels: &Labels| sample == name && labels.contains_key("quantile");
        let quantiles = exposed.samples.keys().filter(|(name, labels)| is_quantile(name, labels)).count();
        assert_eq!(quantiles, if kind == "summary" { 7 * family.series.len() } else { 0 }, "{name}");
        let exposed = exposed.samples.iter().filter(|((name, labels), _)| !is_quantile(name, labels));
        let bits = |value: f64| if value.is_nan() { u64::MAX } else { (value + 0.0).to_bits() };
        let exposed: BTreeMap<_, _> = exposed.map(|(sample, value)| (sample.clone(), bits(*value))).collect();
        let expected: BTreeMap<_, _> = expected.into_iter().map(|(sample, value)| (sample, bits(value))).collect();
        for (sample, value) in &expected {
            let seen = exposed.get(sample).copied().map(f64::from_bits);
            assert_eq!(
                exposed.get(sample),
                Some(value),
                "{sample:?}: {} expected, {seen:?} exposed",
                f64::from_bits(*value)
            );
        }
        assert_eq!(exposed.len(), expected.len(), "{name}: {exposed:?}");
    }
}

/// All combinations of closed sets.
fn dense(def: &Def) -> Option<Vec<Labels>> {
    let mut all = vec![Labels::new()];
    for (name, values) in def.labels {
        let values = (*values)?;
        let with = |labels: &Labels, value: &&str| {
            let mut labels = labels.clone();
            labels.insert((*name).to_owned(), (*value).to_owned());
            labels
        };
        all = all.iter().flat_map(|labels| values.iter().map(move |value| with(labels, value))).collect();
    }
    Some(all)
}

fn is_printed(family: &Family) -> bool {
    family.series.iter().any(|(labels, value)| is_shown(family, labels, value))
}

/// Combinations of closed sets are there from the start; the series for strays only once it has something to say.
fn is_shown(family: &Family, labels: &Labels, value: &Value) -> bool {
    let is_known = family.def.and_then(dense).is_none_or(|all| all.contains(labels));
    is_known || value.touched
}

/// Applies a change; how many samples were dropped as no numbers.
fn apply(value: &mut Value, op: Op) -> u64 {
    match op {
        Op::Increment(by) => value.whole = value.whole.wrapping_add(by),
        Op::Absolute(at_least) => value.whole = value.whole.max(at_least),
        Op::Add(by) => value.number += by,
        Op::Set(to) => value.number = to,
        Op::Record(sample, times) if sample.is_nan() => return times,
        Op::Record(_, 0) => {}
        Op::Record(sample, times) => {
            let bucket = BOUNDS.iter().position(|bound| sample <= bound.parse().unwrap_or(f64::NAN));
            value.buckets[bucket.unwrap_or(BOUNDS.len())] += times;
            value.number += if times == 1 { sample } else { sample * times as f64 };
        }
    }
    value.touched = value.whole != 0 || value.number != 0.0 || value.buckets.iter().any(|count| *count > 0);
    0
}

/// A metric name as the format allows it.
pub fn metric_name(name: &str) -> String {
    let valid = |(i, c): (usize, char)| match c {
        'a'..='z' | 'A'..='Z' | '_' | ':' => c,
        '0'..='9' if i > 0 => c,
        _ => '_',
    };
    let name: String = name.chars().enumerate().map(valid).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

fn valid_label_name(name: &str) -> String {
    metric_name(name).replace(':', "_")
}

fn is_reserved(name: &str) -> bool {
    name == "le" || name == "quantile" || name.starts_with("__")
}

/// A label name as the format allows it, and none that is the format's own.
pub fn label_name(name: &str) -> String {
    let name = valid_label_name(name);
    if is_reserved(&name) {
        return format!("exported_{}", name.trim_start_matches('_'));
    }
    name
}

/// A label value: 128 characters, no control characters.
pub fn clean(value: &str) -> String {
    value.chars().take(128).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn clean_help(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
