//! The storage of one service: declared families in tables, everything else in open families.
//!
//! One map from name to owner decides where a name lives, and it decides once: a name never has two owners, so that no
//! family is printed twice and no handle of either kind writes where nobody reads.

#[cfg(any(feature = "process", feature = "tokio-runtime"))]
use std::iter::Peekable;
use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    sync::{Arc, PoisonError},
    time::Instant,
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, SharedString, Unit};

use rapidhash::fast::RapidHasher;

use super::{
    cell::{Apply, Cell, CounterCell, CounterOp, DenseCell, GaugeCell, GaugeOp, HistogramCell, Slot},
    diagnostics::Diagnostics,
    sanitize,
    text_family::{Place, TextFamily},
    text_table::Series,
    undeclared::UndeclaredFamilies,
};
#[cfg(any(feature = "process", feature = "tokio-runtime"))]
use crate::builtin::collectors;
use crate::exposition::text as exposition;
use crate::{
    builtin::catalogue,
    dispatch::switch,
    facade::family::{FamilyDef, Kind},
    schema::labels::OTHER,
    support::{
        failpoint,
        sync::{
            Mutex, RwLock,
            atomic::{
                AtomicBool, AtomicU64, AtomicUsize,
                Ordering::{Acquire, Relaxed, Release},
            },
        },
    },
};

/// How many names that nobody declared one storage holds. A name is the program's, not the user's, so this many mean
/// that one is computed from data.
pub(crate) const NAMES_CAP: usize = if cfg!(models) { 2 } else { 2_000 };

/// A family of ours in one storage.
#[derive(Debug)]
pub struct FamilyStore<C: Cell> {
    pub(crate) def: &'static FamilyDef,
    pub(crate) table: Table<C>,
}

/// The series of a family.
#[derive(Debug)]
pub(crate) enum Table<C: Cell> {
    /// All labels are closed sets: one slot for each combination, and one for values outside the sets.
    Dense(Dense<C>),
    /// A label is free text.
    Text(Arc<TextFamily<C>>),
}

#[derive(Debug)]
pub(crate) struct Dense<C> {
    slots: Arc<[Slot<C>]>,
    /// Combinations.
    pub(crate) size: usize,
    /// Where values outside the sets go: a slot behind the combinations, or the one that is called so anyway.
    overflow: usize,
    pub(crate) label_texts: Box<[Box<str>]>,
    /// Slots sorted by label text.
    pub(crate) order: Box<[usize]>,
}

impl<C> Dense<C> {
    pub(crate) fn slots(&self) -> &Arc<[Slot<C>]> {
        &self.slots
    }
}

impl<C: Cell> FamilyStore<C> {
    fn new(def: &'static FamilyDef, cap: usize) -> Self {
        let sizes: Option<Vec<usize>> = def.labels.iter().map(|label| label.values.map(<[_]>::len)).collect();
        let table = match sizes {
            None => Table::Text(TextFamily::new(def.labels, cap)),
            Some(sizes) => {
                let size: usize = sizes.iter().product();
                let names = || def.labels.iter().map(|label| label.name);
                let mut label_texts: Vec<Box<str>> =
                    (0..size).map(|index| sanitize::label_text(names().zip(def.values_at(index)))).collect();
                let other = sanitize::label_text(names().map(|name| (name, OTHER)));
                let overflow = label_texts.iter().position(|text| *text == other).unwrap_or(size);
                if overflow == size {
                    label_texts.push(other);
                }
                let mut order: Vec<usize> = (0..label_texts.len()).collect();
                order.sort_by(|a, b| label_texts.get(*a).cmp(&label_texts.get(*b)));
                let slots = label_texts.iter().map(|_| Slot::default()).collect();
                Table::Dense(Dense { slots, size, overflow, label_texts: label_texts.into(), order: order.into() })
            }
        };
        Self { def, table }
    }

    /// The labels by place whose values are outside their closed sets, and the values with `other` in these places.
    fn folded<'a>(&self, values: &[&'a str]) -> (Vec<usize>, Vec<&'a str>) {
        let invalid_labels = self.def.invalid_labels(values);
        let places = values.iter().enumerate();
        let values =
            places.map(|(place, value)| if invalid_labels.contains(&place) { OTHER } else { *value }).collect();
        (invalid_labels, values)
    }

    /// The series of these label values, which come in the order of the declaration. Without `health` nothing is told, nor
    /// counted as refused: then there is no series for what has none of its own.
    fn series(&self, values: &[&str], health: Option<&Diagnostics>) -> Resolved<C> {
        failpoint::point("series");
        let (invalid_labels, values) = self.folded(values);
        if let Some(&first) = invalid_labels.first() {
            let Some(health) = health else { return Resolved::Nothing };
            let label = self.def.labels.get(first).map_or("", |label| label.name);
            health.rejected(self.def.name, label, invalid_labels.len());
            if !C::KIND.adds_up() {
                return Resolved::Nothing;
            }
        }
        match &self.table {
            Table::Dense(dense) => {
                let index = self.def.index_of(&values).unwrap_or(dense.overflow);
                Resolved::Dense(DenseCell { slots: dense.slots.clone(), index })
            }
            Table::Text(text) => {
                let place = text.own(&values).or_else(|| {
                    health?.overflowed(self.def.name, text.cap());
                    Some(text.over(&values))
                });
                place.map(Place::series).map_or(Resolved::Nothing, Resolved::Series)
            }
        }
    }

    /// Removes the series of these label values, or all; says how many of their samples were no numbers.
    fn remove(&self, values: Option<&[&str]>) -> u64 {
        let values = values.map(|values| self.folded(values).1);
        match (&self.table, &values) {
            (Table::Dense(dense), Some(values)) => {
                let index = self.def.index_of(values).unwrap_or(dense.overflow);
                dense.slots.get(index).map_or(0, Slot::remove)
            }
            (Table::Dense(dense), None) => dense.slots.iter().map(Slot::remove).sum(),
            (Table::Text(text), Some(values)) => text.remove(values),
            (Table::Text(text), None) => text.clear(),
        }
    }

    /// As [`Cell::take_faults`], of all its series.
    fn take_faults(&self) -> u64 {
        match &self.table {
            Table::Dense(dense) => dense.slots.iter().map(Slot::take_faults).sum(),
            Table::Text(text) => text.take_faults(),
        }
    }

    /// How many records found no place of their own.
    fn overflowed(&self) -> u64 {
        match &self.table {
            Table::Dense(_) => 0,
            Table::Text(text) => text.overflowed(),
        }
    }
}

/// Where a name turned out to live: what a call site keeps.
#[derive(Debug)]
pub(crate) enum Resolved<C: Cell> {
    Dense(DenseCell<C>),
    Series(Arc<Series<C>>),
    Raw(C::Raw),
    /// Refused, with the reason already logged.
    Nothing,
}

impl<C: Cell> Resolved<C> {
    #[inline]
    pub(crate) fn apply(&self, op: C::Op) {
        match self {
            Self::Dense(cell) => cell.apply(op),
            Self::Series(series) => series.apply(op),
            Self::Raw(raw) => Self::apply_raw(raw, op),
            Self::Nothing => {}
        }
    }

    /// A call through a pointer, which could unwind for all that the compiler knows.
    #[inline(never)]
    extern "C" fn apply_raw(raw: &C::Raw, op: C::Op) {
        switch::catch_panic(|| C::apply_raw(raw, op));
    }

    pub(crate) fn into_raw(self) -> C::Raw {
        match self {
            Self::Dense(cell) => C::raw_from(Arc::new(cell)),
            Self::Series(series) => C::raw_series(series),
            Self::Raw(raw) => raw,
            Self::Nothing => C::raw_noop(),
        }
    }
}

/// A family as one storage has it.
#[derive(Debug)]
pub(crate) enum FamilyIn<C: Cell> {
    Own(Arc<FamilyStore<C>>),
    /// The name was used before it was declared: records go where it lives.
    Forward(&'static FamilyDef),
    /// The name is another kind's.
    Refused,
}

/// Who stores a name.
#[derive(Clone, Debug)]
pub enum Owner {
    /// A declared counter.
    Counter(Arc<FamilyStore<CounterCell>>),
    /// A declared gauge.
    Gauge(Arc<FamilyStore<GaugeCell>>),
    /// A declared histogram.
    Histogram(Arc<FamilyStore<HistogramCell>>),
    /// Nobody declared it.
    UndeclaredFamilies(UndeclaredFamilies),
}

impl Owner {
    fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram(_) => Kind::Histogram,
            Self::UndeclaredFamilies(open) => open.kind(),
        }
    }
}

/// Where a key belongs.
enum Home<C: Cell> {
    Declared(Arc<FamilyStore<C>>),
    UndeclaredFamilies(UndeclaredFamilies),
    /// The name is another kind's.
    Taken(Kind),
    /// The name would be one too many.
    Nowhere,
}

type Names = HashMap<String, Owner, BuildHasherDefault<RapidHasher<'static>>>;

/// Everything that one service recorded.
#[derive(Debug)]
pub(crate) struct Store {
    names: RwLock<Names>,
    /// How many series a family with free text, and one that nobody declared, may have.
    cap: usize,
    /// How many names nobody declared: changed under the lock of `names`, and never less.
    open_names: AtomicUsize,
    /// How often a record went nowhere because its name would have been one too many.
    nameless: AtomicU64,
    /// The help of names that nobody declared; the first description stays.
    described: Mutex<HashMap<String, String>>,
    pub(crate) health: Diagnostics,
    started: Instant,
    /// Bytes of the last exposition.
    rendered: AtomicUsize,
    /// Whether `build_info!` has set its series.
    has_build_info: AtomicBool,
    #[cfg(feature = "temporal")]
    pub(crate) ledger: crate::temporal::ledger::Ledger,
}

impl Store {
    pub(crate) fn new(cap: usize) -> Arc<Self> {
        let store = Self {
            names: RwLock::default(),
            cap,
            open_names: AtomicUsize::new(0),
            nameless: AtomicU64::new(0),
            described: Mutex::default(),
            health: Diagnostics::default(),
            started: Instant::now(),
            rendered: AtomicUsize::new(0),
            has_build_info: AtomicBool::new(false),
            #[cfg(feature = "temporal")]
            ledger: Default::default(),
        };
        catalogue::declare(&store);
        Arc::new(store)
    }

    /// How many series a family may have here.
    pub(crate) fn cap(&self) -> usize {
        self.cap
    }

    /// A declared family in this storage, and nothing said about it.
    pub(crate) fn look_up<C: Cell>(&self, def: &'static FamilyDef) -> FamilyIn<C> {
        let seen = |owner: &Owner| match (C::owned(owner), owner) {
            (Some(family), _) => FamilyIn::Own(family.clone()),
            (None, Owner::UndeclaredFamilies(open)) if open.kind() == C::KIND => FamilyIn::Forward(def),
            _ => FamilyIn::Refused,
        };
        let found = self.names.read().unwrap_or_else(PoisonError::into_inner).get(def.name).map(seen);
        found.unwrap_or_else(|| {
            let new = Arc::new(FamilyStore::new(def, self.cap));
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(owner) = names.get(def.name) {
                return seen(owner);
            }
            if collides(&names, def.name, C::KIND) {
                return FamilyIn::Refused;
            }
            names.insert(def.name.to_owned(), C::own(new.clone()));
            FamilyIn::Own(new)
        })
    }

    /// A declared family in this storage.
    pub(crate) fn family<C: Cell>(&self, def: &'static FamilyDef) -> FamilyIn<C> {
        failpoint::point("family");
        let family = self.look_up(def);
        match family {
            // Another `families!` declared the same name with other labels: values would land under the wrong names.
            FamilyIn::Own(ref own) if !same_labels(own.def, def) => {
                self.health.fault(def.name, "declared twice, with different labels");
                FamilyIn::Refused
            }
            FamilyIn::Refused => {
                self.health.fault(
                    def.name,
                    &format!("declared as a {}, but the name is taken by another kind", def.kind.as_str()),
                );
                FamilyIn::Refused
            }
            FamilyIn::Forward(def) => {
                self.describe_open(def.name, def.help.trim());
                FamilyIn::Forward(def)
            }
            FamilyIn::Own(own) => {
                if !std::ptr::eq(own.def, def) {
                    self.health.declared_twice(def.name, own.def.module, def.module);
                }
                FamilyIn::Own(own)
            }
        }
    }

    /// One series of a family in this storage.
    pub(crate) fn series_of<C: Cell>(&self, family: &FamilyIn<C>, values: &[&str]) -> Resolved<C> {
        match family {
            FamilyIn::Own(own) => own.series(values, Some(&self.health)),
            FamilyIn::Forward(def) => self.resolve(&key_of(def, values)),
            FamilyIn::Refused => Resolved::Nothing,
        }
    }

    /// Removes the series of a declared family with these label values, or all its series, if it is in this storage.
    pub(crate) fn remove<C: Cell>(&self, def: &'static FamilyDef, values: Option<&[&str]>) {
        let owner = self.names.read().unwrap_or_else(PoisonError::into_inner).get(def.name).cloned();
        let Some(owner) = owner else { return };
        match (C::owned(&owner), &owner) {
            (Some(family), _) if same_labels(family.def, def) => self.not_numbers(def.name, family.remove(values)),
            (None, Owner::UndeclaredFamilies(open)) if open.kind() == C::KIND => {
                open.remove(values.map(|values| key_of(def, values)).as_ref());
            }
            // Somebody else's name.
            _ => {}
        }
    }

    /// So many samples were no numbers.
    fn not_numbers(&self, metric: &str, samples: u64) {
        if samples > 0 {
            self.health.faults(metric, "a sample is not a number (NaN)", samples);
        }
    }

    /// Where a key lives: in a declared family if its name is one, in an open one otherwise.
    pub(crate) fn resolve<C: Cell>(&self, key: &Key) -> Resolved<C> {
        failpoint::point("resolve");
        self.find(key, Some(&self.health))
    }

    /// The same for a call site that records nothing yet: its series is there, at 0. What is wrong with it the first record
    /// tells.
    pub(crate) fn present<C: Cell>(&self, key: &Key) -> Resolved<C> {
        self.find(key, None)
    }

    fn find<C: Cell>(&self, key: &Key, health: Option<&Diagnostics>) -> Resolved<C> {
        let name = sanitize::metric_name(key.name());
        match (self.home(&name), health) {
            (Home::Declared(family), _) => self.declared_series(&family, key, health),
            (Home::UndeclaredFamilies(open), _) => open.series(key, health),
            (_, None) => Resolved::Nothing,
            (Home::Taken(kind), Some(health)) => {
                let (is, used) = (kind.as_str(), C::KIND.as_str());
                health.fault(&name, &format!("used as a {used}, but the name belongs to a {is}"));
                Resolved::Nothing
            }
            (Home::Nowhere, Some(health)) => {
                self.nameless.fetch_add(1, Relaxed);
                health.too_many_names(&name, NAMES_CAP);
                Resolved::Nothing
            }
        }
    }

    /// Who stores a name; a new one gets an open family. Nothing but a look under the lock: what comes after it may log,
    /// and a subscriber may record metrics.
    fn home<C: Cell>(&self, name: &str) -> Home<C> {
        let seen = |owner: &Owner| match (C::owned(owner), owner) {
            (Some(family), _) => Home::Declared(family.clone()),
            (None, Owner::UndeclaredFamilies(open)) if open.kind() == C::KIND => Home::UndeclaredFamilies(open.clone()),
            (None, owner) => Home::Taken(owner.kind()),
        };
        // Asked before the look: a name that is not there then is not one of those that filled it up.
        let is_full = self.open_names.load(Acquire) >= NAMES_CAP;
        if let Some(owner) = self.names.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return seen(owner);
        }
        if is_full {
            return Home::Nowhere;
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = names.get(name) {
            return seen(owner);
        }
        if collides(&names, name, C::KIND) {
            return Home::Taken(Kind::Histogram);
        }
        if self.open_names.load(Relaxed) >= NAMES_CAP {
            return Home::Nowhere;
        }
        self.open_names.fetch_add(1, Release);
        let open = UndeclaredFamilies::new(C::KIND, name, self.cap);
        names.insert(name.to_owned(), Owner::UndeclaredFamilies(open.clone()));
        Home::UndeclaredFamilies(open)
    }

    /// A declared family reached by a key: labels are matched by name, whatever their order. Of two of one name the last
    /// one counts, as in an open family.
    fn declared_series<C: Cell>(
        &self,
        family: &FamilyStore<C>,
        key: &Key,
        health: Option<&Diagnostics>,
    ) -> Resolved<C> {
        let given = |name: &str| key.labels().rfind(|label| label.key() == name);
        let values: Vec<_> = family.def.labels.iter().map(|label| given(label.name)).collect();
        let is_used = |label: &&Label| values.iter().flatten().any(|used| std::ptr::eq(*used, *label));
        let dropped: Vec<&Label> = key.labels().filter(|label| !is_used(label)).collect();
        if let Some((first, health)) = dropped.first().zip(health) {
            health.rejected(family.def.name, first.key(), dropped.len());
        }
        let values: Vec<&str> = values.into_iter().map(|label| label.map_or("", Label::value)).collect();
        family.series(&values, health)
    }

    /// A histogram of this name with these upper bounds, unless the name is taken.
    #[cfg(feature = "temporal")]
    pub(crate) fn bounded_histogram(&self, name: &str, bounds: &'static [f64]) {
        let name = sanitize::metric_name(name);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if !names.contains_key(name.as_ref()) && !collides(&names, &name, Kind::Histogram) {
            names.insert(
                name.clone().into_owned(),
                Owner::UndeclaredFamilies(UndeclaredFamilies::bounded(&name, bounds, self.cap)),
            );
        }
    }

    fn describe(&self, name: &KeyName, text: &str) {
        let name = sanitize::metric_name(name.as_str());
        let declared = {
            let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
            names.get(name.as_ref()).is_some_and(|owner| !matches!(owner, Owner::UndeclaredFamilies(_)))
        };
        // A declared family has the help of its declaration.
        if !declared {
            self.describe_open(&name, text);
        }
    }

    pub(crate) fn describe_open(&self, name: &str, text: &str) {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        if described.len() >= NAMES_CAP {
            return;
        }
        described.entry(name.to_owned()).or_insert_with(|| text.to_owned());
    }

    /// `compozy_build_info`; the first call stays.
    pub(crate) fn set_build_info(&self, version: &str, commit_hash: &str, rust_version: &str) {
        if self.has_build_info.swap(true, Relaxed) {
            return;
        }
        let family = self.family::<GaugeCell>(catalogue::BUILD_INFO.late.def());
        self.series_of(&family, &[version, commit_hash, rust_version]).apply(GaugeOp::Set(1.0));
    }

    /// Everything in the text format.
    pub(crate) fn render(&self) -> String {
        self.print(true)
    }

    /// What was recorded, without what is read at a scrape: the same as long as nobody records.
    pub(crate) fn render_recorded(&self) -> String {
        self.print(false)
    }

    fn print(&self, with_read: bool) -> String {
        failpoint::point("render");
        let owners = self.owners();
        self.refresh(&owners);
        let described = self.described.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // As much as last time, and a little for what is new.
        let expected = self.rendered.load(Relaxed);
        let mut out = String::with_capacity(expected.saturating_add(expected / 16));
        #[cfg(any(feature = "process", feature = "tokio-runtime"))]
        let mut read = if with_read { self.read_families() } else { Vec::new() }.into_iter().peekable();
        for (name, owner) in &owners {
            // The clock's, not the application's.
            if !with_read && *name == catalogue::UPTIME.late.def().name {
                continue;
            }
            #[cfg(any(feature = "process", feature = "tokio-runtime"))]
            print_before(&mut read, name, &mut out);
            match owner {
                Owner::Counter(family) => exposition::family(family, &mut out),
                Owner::Gauge(family) => exposition::family(family, &mut out),
                Owner::Histogram(family) => exposition::family(family, &mut out),
                Owner::UndeclaredFamilies(open) => {
                    exposition::open(open, described.get(name).map(String::as_str), &mut out)
                }
            }
        }
        #[cfg(any(feature = "process", feature = "tokio-runtime"))]
        read.for_each(|family| exposition::one(&family, &mut out));
        if with_read {
            self.rendered.store(out.len(), Relaxed);
        }
        out
    }

    /// Those that are read at a scrape, in the storage of the process's one service.
    #[cfg(any(feature = "process", feature = "tokio-runtime"))]
    fn read_families(&self) -> Vec<collectors::Family> {
        let is_global = switch::global_store().is_some_and(|global| std::ptr::eq(Arc::as_ptr(global), self));
        if !is_global {
            return Vec::new();
        }
        let mut all: Vec<_> = collectors::COLLECTORS
            .iter()
            .filter_map(|(name, families)| switch::caught(name, self, families))
            .flatten()
            .collect();
        all.sort_unstable_by_key(|family| family.name);
        all
    }

    /// Who stores what, now, sorted by name: nothing is formatted under the lock, because a first sighting waits for it.
    fn owners(&self) -> Vec<(String, Owner)> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let mut owners: Vec<_> = names.iter().map(|(name, owner)| (name.clone(), owner.clone())).collect();
        drop(names);
        owners.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        owners
    }

    /// Sets what is only known at scrape time: the uptime, and what monitoring says about itself.
    fn refresh(&self, owners: &[(String, Owner)]) {
        let mut overflowed = self.nameless.load(Relaxed);
        for (name, owner) in owners {
            let (over, not_numbers) = match owner {
                Owner::Counter(family) => (family.overflowed(), 0),
                Owner::Gauge(family) => (family.overflowed(), 0),
                Owner::Histogram(family) => (family.overflowed(), family.take_faults()),
                Owner::UndeclaredFamilies(open) => (open.overflowed(), open.take_not_numbers()),
            };
            overflowed = overflowed.wrapping_add(over);
            self.not_numbers(name, not_numbers);
        }
        let set = |family: &'static catalogue::Plain<crate::Counter>, value| {
            let family = self.family::<CounterCell>(family.late.def());
            self.series_of(&family, &[]).apply(CounterOp::Absolute(value));
        };
        set(&catalogue::UPTIME, self.started.elapsed().as_secs());
        set(&catalogue::ERRORS, self.health.errors());
        set(&catalogue::REJECTED_LABELS, self.health.rejected_labels());
        set(&catalogue::EARLY_HANDLES, self.health.early_records());
        set(&catalogue::OVERFLOWED_SERIES, overflowed);
        let health = self.family::<GaugeCell>(catalogue::HEALTH.late.def());
        self.series_of(&health, &[]).apply(GaugeOp::Set(if self.health.is_healthy() { 1.0 } else { 0.0 }));
    }
}

/// Prints what comes before a name, and drops what has that name: somebody records it.
#[cfg(any(feature = "process", feature = "tokio-runtime"))]
fn print_before(read: &mut Peekable<std::vec::IntoIter<collectors::Family>>, name: &str, out: &mut String) {
    while let Some(family) = read.next_if(|family| family.name <= name) {
        if family.name != name {
            exposition::one(&family, out);
        }
    }
}

/// Whether a name would be printed by a histogram, or a histogram print under somebody's name.
fn collides(names: &Names, name: &str, kind: Kind) -> bool {
    const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];
    let is_histogram = |owner: &Owner| owner.kind() == Kind::Histogram;
    PARTS.iter().filter_map(|part| name.strip_suffix(part)).any(|base| names.get(base).is_some_and(is_histogram))
        || kind == Kind::Histogram && PARTS.iter().any(|part| names.contains_key(&format!("{name}{part}")))
}

/// The key of label values that come in the order of the declaration.
fn key_of(def: &'static FamilyDef, values: &[&str]) -> Key {
    let pairs = def.labels.iter().zip(values);
    let labels: Vec<_> = pairs.map(|(label, value)| Label::new(label.name, (*value).to_owned())).collect();
    Key::from_parts(def.name, labels)
}

fn same_labels(a: &FamilyDef, b: &FamilyDef) -> bool {
    std::ptr::eq(a, b)
        || (a.labels.len() == b.labels.len()
            && a.labels.iter().zip(b.labels).all(|(a, b)| a.name == b.name && a.values == b.values))
}

/// A storage as the `metrics` crate sees it.
#[derive(Clone, Debug)]
pub(crate) struct StoreRecorder(pub(crate) Arc<Store>);

impl StoreRecorder {
    /// Whatever goes wrong in here, a library that only wanted to count does not notice.
    fn register<C: Cell>(&self, key: &Key) -> C::Raw {
        let resolved = switch::catch_and_report(key.name(), &self.0, || self.0.resolve::<C>(key).into_raw());
        resolved.unwrap_or_else(C::raw_noop)
    }
}

impl metrics::Recorder for StoreRecorder {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(&name, &text);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(&name, &text);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.0.describe(&name, &text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register::<CounterCell>(key)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register::<GaugeCell>(key)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register::<HistogramCell>(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_race_to_the_cap_on_names_never_make_one_name_more() {
        for _ in 0..if cfg!(miri) { 1 } else { 300 } {
            let store = Store::new(1);
            let declared = store.owners().len();
            (1..NAMES_CAP).for_each(|i| drop(store.resolve::<CounterCell>(&Key::from_name(format!("n{i}_total")))));
            let barrier = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                for name in ["first_total", "second_total"] {
                    let (store, barrier) = (&store, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        drop(store.resolve::<CounterCell>(&Key::from_name(name)));
                    });
                }
            });
            assert_eq!(store.owners().len() - declared, NAMES_CAP);
            assert_eq!(store.nameless.load(Relaxed), 1);
        }
    }
}
