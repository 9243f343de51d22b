//! Everything that one service has recorded: a map from names to families.
//!
//! A name has one owner, for good. So no family is exported twice, and no handle records into a family that is not exported.

#[cfg(feature = "temporal")]
use std::any::Any;
use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasherDefault,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use metrics::{Key, KeyName, Label};
use rapidhash::fast::RapidHasher;

use super::{
    collector::{Collector, Reading},
    declared::DeclaredFamily,
    diagnostics::Diagnostics,
    observations::Observations,
    owner::{Lookup, Owner, Stored},
    resolved::Resolved,
    sanitize,
    undeclared::UndeclaredFamilies,
};
use crate::{
    schema::family::{FamilyDef, Kind},
    support::{
        failpoint, striped,
        sync::{
            Mutex, RwLock,
            atomic::{
                AtomicBool, AtomicU64, AtomicUsize,
                Ordering::{Acquire, Relaxed, Release},
            },
        },
    },
};

/// How many undeclared names a store has at most. A program has a fixed number of names: so many mean that one is computed
/// from data.
pub(crate) const NAMES_CAP: usize = if cfg!(models) { 2 } else { 2_000 };

type Names = HashMap<String, Owner, BuildHasherDefault<RapidHasher<'static>>>;

#[derive(Debug)]
pub(crate) struct Store {
    names: RwLock<Names>,
    /// How many series a family with free text, and an undeclared one, may have.
    cap: usize,
    /// How many names are undeclared: changed under the lock of `names`, and never less.
    undeclared_names: AtomicUsize,
    /// How many look-ups of an undeclared name were refused because of [`NAMES_CAP`].
    refused_names: AtomicU64,
    /// The help of undeclared names; the first description stays.
    described: Mutex<HashMap<String, String>>,
    pub(crate) diagnostics: Diagnostics,
    started: Instant,
    collectors: Mutex<Vec<Arc<dyn Collector>>>,
    pub(crate) observations: Observations,
    /// Labels of the configuration: the text has them, no series.
    constant_labels: Mutex<Arc<BTreeMap<String, String>>>,
    /// Whether OpenMetrics text says since when each series counts.
    created_lines: AtomicBool,
    /// Whether protobuf has native histograms.
    native_histograms: AtomicBool,
    /// Bytes of the last exposition in each format.
    pub(crate) last_sizes: [AtomicUsize; MOST_FORMATS],
    /// Whether `build_info!` has set its series.
    has_build_info: AtomicBool,
    /// See [`Store::extension`].
    #[cfg(feature = "temporal")]
    extension: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

/// Room for the formats of the exposition, which checks that it is enough.
pub(crate) const MOST_FORMATS: usize = 4;

impl Store {
    pub(crate) fn new(cap: usize) -> Arc<Self> {
        striped::prepare();
        Arc::new(Self {
            names: RwLock::default(),
            cap,
            undeclared_names: AtomicUsize::new(0),
            refused_names: AtomicU64::new(0),
            described: Mutex::default(),
            diagnostics: Diagnostics::default(),
            started: Instant::now(),
            collectors: Mutex::default(),
            observations: Observations::default(),
            constant_labels: Mutex::default(),
            created_lines: AtomicBool::new(false),
            native_histograms: AtomicBool::new(false),
            last_sizes: std::array::from_fn(|_| AtomicUsize::new(0)),
            has_build_info: AtomicBool::new(false),
            #[cfg(feature = "temporal")]
            extension: Mutex::default(),
        })
    }

    /// How many series a family may have here.
    pub(crate) fn cap(&self) -> usize {
        self.cap
    }

    /// For how long the store has been there.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The labels of the configuration, by name.
    pub(crate) fn constant_labels(&self) -> Arc<BTreeMap<String, String>> {
        self.constant_labels.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether OpenMetrics text says since when each series counts.
    #[cfg_attr(not(feature = "_scrape"), allow(dead_code))]
    pub(crate) fn has_created_lines(&self) -> bool {
        self.created_lines.load(Relaxed)
    }

    /// Whether protobuf has native histograms.
    #[cfg_attr(not(feature = "_scrape"), allow(dead_code))]
    pub(crate) fn has_native_histograms(&self) -> bool {
        self.native_histograms.load(Relaxed)
    }

    /// What the configuration of the service that starts now says of the exposition.
    pub(crate) fn set_exposition(
        &self,
        labels: &BTreeMap<String, String>,
        created_lines: bool,
        native_histograms: bool,
    ) {
        *self.constant_labels.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(labels.clone());
        self.created_lines.store(created_lines, Relaxed);
        self.native_histograms.store(native_histograms, Relaxed);
    }

    /// Adds what is read at each scrape.
    pub(crate) fn add_collector(&self, collector: Arc<dyn Collector>) {
        self.collectors.lock().unwrap_or_else(PoisonError::into_inner).push(collector);
    }

    /// Reads what is read at a scrape; what is not stored comes back, sorted by name. The fault of a collector is logged
    /// under its own name, and the others are read.
    pub(crate) fn collect(&self) -> Vec<Reading> {
        self.observations.read(&self.diagnostics);
        let collectors = self.collectors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut readings = Vec::new();
        for collector in collectors {
            let mut own = Vec::new();
            let read = || collector.collect(&mut own);
            if self.diagnostics.catch_part(collector.name(), read).is_some() {
                readings.append(&mut own);
            }
        }
        readings.sort_unstable_by_key(|reading| reading.name);
        readings
    }

    /// What a part of the crate above this layer keeps beside the store, made at the first call. There is one such part: the
    /// ledger of Temporal's runs.
    #[cfg(feature = "temporal")]
    pub(crate) fn extension<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut kept = self.extension.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get_or_insert_with(|| Arc::new(T::default())).clone();
        Arc::downcast(kept).unwrap_or_default()
    }

    /// The owner of the name of a declared family. A new name becomes its own. Logs nothing.
    pub(crate) fn look_up<C: Stored>(&self, def: &'static FamilyDef) -> Lookup<C> {
        let found = self.names.read().unwrap_or_else(PoisonError::into_inner).get(def.name).map(Lookup::of);
        found.unwrap_or_else(|| {
            let new = Arc::new(DeclaredFamily::new(def, self.cap));
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(owner) = names.get(def.name) {
                return Lookup::of(owner);
            }
            if collides(&names, def.name, C::KIND) {
                return Lookup::Taken(Kind::Histogram);
            }
            names.insert(def.name.to_owned(), C::own(new.clone()));
            Lookup::Declared(new)
        })
    }

    /// The same, and logs what is wrong with the declaration.
    pub(crate) fn family<C: Stored>(&self, def: &'static FamilyDef) -> Lookup<C> {
        failpoint::point("family");
        let family = self.look_up(def);
        match &family {
            // Values would land under the wrong labels.
            Lookup::Declared(own) if !same_labels(own.def, def) => {
                self.diagnostics.fault(def.name, "declared twice, with different labels or buckets");
                return Lookup::Taken(C::KIND);
            }
            Lookup::Declared(own) if !family.is_of(def) => {
                self.diagnostics.declared_twice(def.name, own.def.module, def.module);
            }
            Lookup::Declared(_) => {}
            Lookup::Undeclared(families) => {
                families.declare(def.labels);
                self.describe_undeclared(def.name, def.help.trim());
            }
            Lookup::Taken(_) | Lookup::Full => {
                let kind = def.kind.as_str();
                let error = format!("declared as a {kind}, but the name is taken by another kind");
                self.diagnostics.fault(def.name, &error);
            }
        }
        family
    }

    /// One series of a declared family: in the family, or where its name was used before it was declared.
    pub(crate) fn series_of<C: Stored>(
        &self,
        family: &Lookup<C>,
        def: &'static FamilyDef,
        values: &[&str],
    ) -> Resolved<C> {
        match family {
            Lookup::Declared(own) => own.series(values, Some(&self.diagnostics)),
            Lookup::Undeclared(_) => self.resolve(&key_of(def, values)),
            Lookup::Taken(_) | Lookup::Full => Resolved::Nothing,
        }
    }

    /// The same in one step.
    pub(crate) fn declared_series<C: Stored>(&self, def: &'static FamilyDef, values: &[&str]) -> Resolved<C> {
        self.series_of(&self.family(def), def, values)
    }

    /// Removes the series of a declared family with these label values, or all its series, if it is in this store.
    pub(crate) fn remove<C: Stored>(&self, def: &'static FamilyDef, values: Option<&[&str]>) {
        let owner = self.names.read().unwrap_or_else(PoisonError::into_inner).get(def.name).map(Lookup::<C>::of);
        match owner {
            Some(Lookup::Declared(family)) if same_labels(family.def, def) => {
                self.diagnostics.dropped_samples(def.name, family.remove(values));
            }
            Some(Lookup::Undeclared(families)) => {
                families.declare(def.labels);
                families.remove(values.map(|values| key_of(def, values)).as_ref());
            }
            // The name belongs to another family.
            _ => {}
        }
    }

    /// The series of a key: of a declared family if its name is one, of an undeclared one otherwise.
    pub(crate) fn resolve<C: Stored>(&self, key: &Key) -> Resolved<C> {
        failpoint::point("resolve");
        self.find(key, Some(&self.diagnostics))
    }

    /// The same for a call site that records nothing yet: its series is there, at 0. What is wrong with it is logged at the
    /// first record.
    pub(crate) fn present<C: Stored>(&self, key: &Key) -> Resolved<C> {
        self.find(key, None)
    }

    fn find<C: Stored>(&self, key: &Key, diagnostics: Option<&Diagnostics>) -> Resolved<C> {
        let name = sanitize::metric_name(key.name());
        match (self.look_up_name(&name), diagnostics) {
            (Lookup::Declared(family), _) => family.series_of_key(key, diagnostics),
            (Lookup::Undeclared(families), _) => families.series(key, diagnostics),
            (_, None) => Resolved::Nothing,
            (Lookup::Taken(kind), Some(diagnostics)) => {
                let (is, used) = (kind.as_str(), C::KIND.as_str());
                diagnostics.fault(&name, &format!("used as a {used}, but the name belongs to a {is}"));
                Resolved::Nothing
            }
            (Lookup::Full, Some(diagnostics)) => {
                self.refused_names.fetch_add(1, Relaxed);
                diagnostics.too_many_names(&name, NAMES_CAP);
                Resolved::Nothing
            }
        }
    }

    /// The owner of a name. A new name becomes an undeclared family. Nothing is logged under the lock, because a subscriber may record
    /// metrics.
    fn look_up_name<C: Stored>(&self, name: &str) -> Lookup<C> {
        // Asked before the look: a name that is not there then is not one of those that filled it up.
        let is_full = self.undeclared_names.load(Acquire) >= NAMES_CAP;
        if let Some(owner) = self.names.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Lookup::of(owner);
        }
        if is_full {
            return Lookup::Full;
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = names.get(name) {
            return Lookup::of(owner);
        }
        if collides(&names, name, C::KIND) {
            return Lookup::Taken(Kind::Histogram);
        }
        if self.undeclared_names.load(Relaxed) >= NAMES_CAP {
            return Lookup::Full;
        }
        self.undeclared_names.fetch_add(1, Release);
        let families = UndeclaredFamilies::new(C::KIND, name, self.cap);
        names.insert(name.to_owned(), Owner::Undeclared(families.clone()));
        Lookup::Undeclared(families)
    }

    /// A histogram of this name with these upper bounds, unless the name is taken.
    #[cfg(feature = "temporal")]
    pub(crate) fn bounded_histogram(&self, name: &str, bounds: &'static [f64]) {
        let name = sanitize::metric_name(name);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if !names.contains_key(name.as_ref()) && !collides(&names, &name, Kind::Histogram) {
            let families = UndeclaredFamilies::histogram(&name, bounds, self.cap);
            names.insert(name.into_owned(), Owner::Undeclared(families));
        }
    }

    /// Keeps the help of a name; a declared family has that of its declaration.
    pub(crate) fn describe(&self, name: &KeyName, text: &str) {
        let name = sanitize::metric_name(name.as_str());
        let is_declared = {
            let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
            names.get(name.as_ref()).is_some_and(|owner| !matches!(owner, Owner::Undeclared(_)))
        };
        if !is_declared {
            self.describe_undeclared(&name, text);
        }
    }

    pub(crate) fn describe_undeclared(&self, name: &str, text: &str) {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        if described.len() < NAMES_CAP {
            described.entry(name.to_owned()).or_insert_with(|| text.to_owned());
        }
    }

    /// The help of undeclared names.
    pub(crate) fn descriptions(&self) -> HashMap<String, String> {
        self.described.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this is the first call of `build_info!`: that one stays.
    pub(crate) fn is_first_build_info(&self) -> bool {
        !self.has_build_info.swap(true, Relaxed)
    }

    /// All names and their owners, in no order. Nothing is done with them under the lock, because the first look-up of a name waits for
    /// it.
    pub(crate) fn owners(&self) -> Vec<(String, Owner)> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().map(|(name, owner)| (name.clone(), owner.clone())).collect()
    }

    /// Reports the samples that were dropped since the last call; says how many look-ups found no place of their own.
    pub(crate) fn report_losses(&self) -> u64 {
        let mut overflowed = self.refused_names.load(Relaxed);
        for (name, owner) in self.owners() {
            let (over, dropped) = owner.losses();
            overflowed = overflowed.wrapping_add(over);
            self.diagnostics.dropped_samples(&name, dropped);
        }
        overflowed
    }
}

/// Whether a histogram of the store has samples of this name, or a histogram of this name would have samples with a name of the
/// store.
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
            && a.bounds == b.bounds
            && a.labels.iter().zip(b.labels).all(|(a, b)| a.name == b.name && a.values == b.values))
}

#[cfg(test)]
mod tests {
    use super::{super::counter::CounterCell, *};

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
            assert_eq!(store.refused_names.load(Relaxed), 1);
        }
    }
}
