//! Families without a declaration: those of other libraries, and names that are used without `families!`.
//!
//! Their labels are not known in advance, so a series is found by its key. The registry of metrics-exporter-prometheus is not
//! used: a sample that is recorded while it empties its queues can be lost (274 of 2,000,000 in a loop of upkeep), and the
//! queues grow while nobody scrapes.

use std::{
    collections::HashMap,
    fmt,
    hash::BuildHasherDefault,
    sync::{Arc, PoisonError, Weak},
};

use metrics::Key;
use rapidhash::fast::RapidHasher;

use super::{
    bridge::Bridge,
    cell::{Cell, Maker},
    counter::CounterCell,
    diagnostics::Diagnostics,
    gauge::GaugeCell,
    histogram::HistogramCell,
    resolved::Resolved,
    sanitize,
    series::{Home, HomeRef, Series},
    summary::SummaryCell,
};
use crate::{
    schema::{
        buckets::bounds_of_unit,
        family::{Kind, LabelDef},
        limits::OTHER,
    },
    support::{
        failpoint,
        sync::{
            Mutex, OnceLock, RwLock,
            atomic::{AtomicU64, Ordering::Relaxed},
        },
    },
};

type Map<K, V> = HashMap<K, V, BuildHasherDefault<RapidHasher<'static>>>;

/// An undeclared family, by the type of its values.
#[derive(Clone, Debug)]
pub enum UndeclaredFamilies {
    Counter(Arc<UndeclaredFamily<CounterCell>>),
    Gauge(Arc<UndeclaredFamily<GaugeCell>>),
    /// A histogram with bounds: by the unit in its name, or those of its registration.
    Histogram(Arc<UndeclaredFamily<HistogramCell>>),
    /// Any other histogram: quantiles, as the exporter has them.
    Summary(Arc<UndeclaredFamily<SummaryCell>>),
}

impl UndeclaredFamilies {
    pub(crate) fn new(kind: Kind, name: &str, cap: usize) -> Self {
        match kind {
            Kind::Counter => Self::Counter(UndeclaredFamily::new(kind, name, cap, Maker::default())),
            Kind::Gauge => Self::Gauge(UndeclaredFamily::new(kind, name, cap, Maker::default())),
            Kind::Histogram => match bounds_of_unit(name) {
                Some(bounds) => Self::histogram(name, bounds, cap),
                None => Self::Summary(UndeclaredFamily::new(kind, name, cap, Maker::default())),
            },
        }
    }

    /// A histogram with these upper bounds.
    pub(crate) fn histogram(name: &str, bounds: &'static [f64], cap: usize) -> Self {
        Self::Histogram(UndeclaredFamily::new(Kind::Histogram, name, cap, HistogramCell::maker_of(bounds)))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram(_) | Self::Summary(_) => Kind::Histogram,
        }
    }

    /// One series. Without `diagnostics` nothing is logged, and nothing goes to the overflow series.
    pub(crate) fn series<C: Undeclared>(&self, key: &Key, diagnostics: Option<&Diagnostics>) -> Resolved<C> {
        let series = match (C::of_kind(self), self) {
            (Some(family), _) => family.get(key, diagnostics).map(Resolved::Series),
            (None, Self::Summary(family)) => family.get(key, diagnostics).and_then(C::raw_samples).map(Resolved::Raw),
            // The caller compared the kinds.
            (None, _) => None,
        };
        series.unwrap_or(Resolved::Nothing)
    }

    /// Allows the labels of a declaration that came after the first use.
    pub(crate) fn declare(&self, labels: &'static [LabelDef]) {
        let declared = match self {
            Self::Counter(family) => &family.declared,
            Self::Gauge(family) => &family.declared,
            Self::Histogram(family) => &family.declared,
            Self::Summary(family) => &family.declared,
        };
        let _ = declared.set(labels);
    }

    /// Removes the series of a key, or all.
    pub(crate) fn remove(&self, key: Option<&Key>) {
        match self {
            Self::Counter(family) => family.remove(key),
            Self::Gauge(family) => family.remove(key),
            Self::Histogram(family) => family.remove(key),
            Self::Summary(family) => family.remove(key),
        }
    }

    /// As [`Cell::take_dropped`], of all series.
    pub(crate) fn take_dropped(&self) -> u64 {
        match self {
            Self::Counter(_) | Self::Gauge(_) => 0,
            Self::Histogram(family) => family.sum(Cell::take_dropped),
            Self::Summary(family) => family.sum(SummaryCell::take_dropped),
        }
    }

    /// How many look-ups were over the cap.
    pub(crate) fn overflowed(&self) -> u64 {
        match self {
            Self::Counter(family) => family.overflowed.load(Relaxed),
            Self::Gauge(family) => family.overflowed.load(Relaxed),
            Self::Histogram(family) => family.overflowed.load(Relaxed),
            Self::Summary(family) => family.overflowed.load(Relaxed),
        }
    }
}

/// A kind of value that an undeclared family can hold.
pub trait Undeclared: Bridge {
    #[doc(hidden)]
    fn of_kind(families: &UndeclaredFamilies) -> Option<&UndeclaredFamily<Self>>;
}

macro_rules! undeclared {
    ($cell:ty, $kind:ident) => {
        impl Undeclared for $cell {
            fn of_kind(families: &UndeclaredFamilies) -> Option<&UndeclaredFamily<Self>> {
                match families {
                    UndeclaredFamilies::$kind(family) => Some(family),
                    _ => None,
                }
            }
        }
    };
}

undeclared!(CounterCell, Counter);
undeclared!(GaugeCell, Gauge);
undeclared!(HistogramCell, Histogram);

/// Series by key.
pub struct UndeclaredFamily<T> {
    kind: Kind,
    pub(crate) name: String,
    /// Makes the value of a new series.
    maker: Maker<T>,
    /// How many series of its own it may have.
    cap: usize,
    /// The labels of a declaration that came after the first use.
    declared: OnceLock<&'static [LabelDef]>,
    /// Series by the keys of call sites: the fast path.
    spelled: RwLock<Map<Key, Arc<Series<T>>>>,
    /// The series themselves. Locked before `spelled`.
    own: Mutex<Own<T>>,
    overflowed: AtomicU64,
    /// Itself, for the series that it makes.
    home: HomeRef<T>,
}

struct Own<T> {
    /// By their text: labels sorted, values clean.
    series: Map<Box<str>, Arc<Series<T>>>,
    /// The overflow series; it may be one of `series`.
    overflow: Option<Arc<Series<T>>>,
}

impl<T> fmt::Debug for UndeclaredFamily<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UndeclaredFamily").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> UndeclaredFamily<T> {
    fn new(kind: Kind, name: &str, cap: usize, maker: Maker<T>) -> Arc<Self> {
        Arc::new_cyclic(|home: &Weak<Self>| Self {
            kind,
            name: name.to_owned(),
            cap,
            declared: OnceLock::default(),
            maker,
            spelled: RwLock::default(),
            own: Mutex::new(Own { series: Map::default(), overflow: None }),
            overflowed: AtomicU64::new(0),
            home: Arc::new(home.clone()),
        })
    }

    fn labels(&self, key: &Key) -> sanitize::Labels {
        sanitize::labels(&self.name, self.declared.get().copied().unwrap_or_default(), key)
    }

    fn new_series(&self, text: Box<str>) -> Arc<Series<T>> {
        Arc::new(Series::of_text(text, self.maker.make(), self.home.clone()))
    }

    /// The series with this text. A new one is added; nothing at the cap.
    fn of_text(&self, own: &mut Own<T>, text: &str) -> Option<Arc<Series<T>>> {
        if let Some(series) = own.series.get(text) {
            return Some(series.clone());
        }
        if own.series.len() >= self.cap {
            return None;
        }
        // After a removal there is room again, and the overflow series may have this text.
        let is_overflow = |series: &&Arc<Series<T>>| *series.label_text == *text;
        if let Some(series) = own.overflow.as_ref().filter(is_overflow) {
            return Some(series.clone());
        }
        let series = self.new_series(text.into());
        own.series.insert(text.into(), series.clone());
        Some(series)
    }

    /// The series of a key; nothing for a gauge over the cap. Without `diagnostics` nothing is logged, and nothing goes to the overflow
    /// series.
    pub(crate) fn get(&self, key: &Key, diagnostics: Option<&Diagnostics>) -> Option<Arc<Series<T>>> {
        failpoint::point("open");
        if let Some(series) = self.spelled.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Some(series.clone());
        }
        let sanitize::Labels { labels, dropped, unchanged } = self.labels(key);
        let text = sanitize::label_text(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.of_text(&mut own, &text);
        if let Some(series) = &found
            && unchanged
            && dropped.is_empty()
        {
            let mut spelled = self.spelled.write().unwrap_or_else(PoisonError::into_inner);
            // One series has as many keys as its labels have orders. Keys over the bound take the slow path. So do keys with
            // values that had to be cleaned, because they may be of any length, and those with dropped labels, which are counted.
            if spelled.len() < self.cap.saturating_mul(2) {
                spelled.insert(key.clone(), series.clone());
            }
        }
        let diagnostics = match diagnostics {
            Some(diagnostics) => diagnostics,
            None => return found,
        };
        let is_full = found.is_none();
        let found = found.or_else(|| {
            self.kind.adds_up().then(|| {
                let other = || sanitize::label_text(labels.iter().map(|(name, _)| (name.as_str(), OTHER)));
                // If the application has a series with the value `other`, it is that one.
                let Own { series, overflow } = &mut *own;
                let own_or_new = || series.get(&other()).cloned().unwrap_or_else(|| self.new_series(other()));
                overflow.get_or_insert_with(own_or_new).clone()
            })
        });
        drop(own);
        if let Some(label) = dropped.first() {
            diagnostics.rejected(&self.name, label, dropped.len());
        }
        if is_full {
            self.overflowed.fetch_add(1, Relaxed);
            diagnostics.overflowed(&self.name, self.cap);
        }
        found
    }

    /// Removes the series of a key, or all.
    fn remove(&self, key: Option<&Key>) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let mut removed = Vec::new();
        match key {
            None => {
                removed.extend(std::mem::take(&mut own.series).into_values());
                removed.extend(own.overflow.take());
            }
            Some(key) => {
                let sanitize::Labels { labels, .. } = self.labels(key);
                let text = sanitize::label_text(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                removed.extend(own.series.remove(&text));
                removed.extend(own.overflow.take_if(|series| series.label_text == text));
            }
        }
        removed.iter().for_each(|series| series.set_removed());
        let mut spelled = self.spelled.write().unwrap_or_else(PoisonError::into_inner);
        spelled.retain(|_, series| !series.is_removed());
    }

    fn sum(&self, of: impl Fn(&T) -> u64) -> u64 {
        self.sorted().iter().map(|series| of(&series.cell)).sum()
    }

    /// All series, sorted by their text.
    pub(crate) fn sorted(&self) -> Vec<Arc<Series<T>>> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let overflow = own.overflow.iter().filter(|series| !own.series.contains_key(&series.label_text));
        let mut all: Vec<_> = own.series.values().chain(overflow).cloned().collect();
        drop(own);
        all.sort_unstable_by(|a, b| a.label_text.cmp(&b.label_text));
        all
    }
}

impl<T: Send + Sync + 'static> Home<T> for UndeclaredFamily<T> {
    fn anew(&self, removed: &Series<T>) -> Option<Arc<Series<T>>> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.of_text(&mut own, &removed.label_text);
        if found.is_some() {
            return found;
        }
        self.overflowed.fetch_add(1, Relaxed);
        own.overflow.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::histogram::HistogramOp, *};
    use crate::schema::limits::SERIES_CAP;
    use metrics::Label;

    fn key(name: &'static str, value: &str) -> Key {
        Key::from_parts(name, vec![Label::new("q", value.to_owned())])
    }

    #[test]
    fn no_sample_is_lost_while_others_read() {
        let (diagnostics, rounds) = (Diagnostics::default(), if cfg!(miri) { 20 } else { 50_000_u64 });
        for name in ["lib_seconds", "lib_size"] {
            let open = UndeclaredFamilies::new(Kind::Histogram, name, SERIES_CAP);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        let series = open.series::<HistogramCell>(&key("x", "1"), Some(&diagnostics));
                        (0..rounds).for_each(|_| series.apply(HistogramOp { value: 0.5, times: 1 }));
                    });
                }
                scope.spawn(|| (0..rounds / 10).for_each(|_| _ = open.take_dropped()));
            });
            let count = match &open {
                UndeclaredFamilies::Summary(family) => family.sum(|cell| cell.read().2),
                UndeclaredFamilies::Histogram(family) => family.sum(|cell| cell.cumulative()[11]),
                other => unreachable!("{other:?} is no histogram"),
            };
            assert_eq!(count, 2 * rounds);
        }
    }

    #[test]
    fn an_open_family_has_a_cap_and_so_have_its_spellings() {
        let diagnostics = Diagnostics::default();
        let open = UndeclaredFamilies::new(Kind::Counter, "x_total", SERIES_CAP);
        for i in 0..3 * SERIES_CAP {
            open.series::<CounterCell>(&key("x_total", &i.to_string()), Some(&diagnostics))
                .apply(super::super::counter::CounterOp::Increment(1));
        }
        let UndeclaredFamilies::Counter(family) = &open else { unreachable!("made as a counter") };
        let all = family.sorted();
        assert_eq!(all.len(), SERIES_CAP + 1);
        assert_eq!(all.iter().map(|series| series.cell.get()).sum::<u64>(), 3 * SERIES_CAP as u64);
        assert_eq!(
            all.iter().find(|s| &*s.label_text == r#"q="other""#).map(|s| s.cell.get()),
            Some(2 * SERIES_CAP as u64)
        );
        assert_eq!(open.overflowed(), 2 * SERIES_CAP as u64);
        assert!(family.spelled.read().unwrap().len() <= 2 * SERIES_CAP);
    }

    #[test]
    fn threads_that_race_to_the_cap_never_make_one_series_more() {
        let diagnostics = Diagnostics::default();
        for _ in 0..if cfg!(miri) { 5 } else { 10_000 } {
            let open = UndeclaredFamilies::new(Kind::Counter, "x_total", 1);
            let barrier = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                for value in ["first", "second"] {
                    let (open, diagnostics, barrier) = (&open, &diagnostics, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let series = open.series::<CounterCell>(&key("x_total", value), Some(diagnostics));
                        series.apply(super::super::counter::CounterOp::Increment(1));
                    });
                }
            });
            let UndeclaredFamilies::Counter(family) = &open else { unreachable!("made as a counter") };
            assert_eq!(family.own.lock().unwrap().series.len(), 1);
            assert_eq!(family.sum(CounterCell::get), 2);
        }
    }

    #[test]
    fn a_spelling_that_had_to_be_cleaned_is_not_kept() {
        let diagnostics = Diagnostics::default();
        let open = UndeclaredFamilies::new(Kind::Counter, "x_total", SERIES_CAP);
        for i in 0..10 {
            let long = format!("{}{i}", "x".repeat(200));
            let _ = open.series::<CounterCell>(&key("x_total", &long), Some(&diagnostics));
        }
        let UndeclaredFamilies::Counter(family) = &open else { unreachable!("made as a counter") };
        assert_eq!((family.sorted().len(), family.spelled.read().unwrap().len()), (1, 0));
    }

    #[test]
    fn gauges_over_the_cap_are_dropped() {
        let diagnostics = Diagnostics::default();
        let open = UndeclaredFamilies::new(Kind::Gauge, "x", SERIES_CAP);
        for i in 0..=SERIES_CAP {
            open.series::<GaugeCell>(&key("x", &i.to_string()), Some(&diagnostics))
                .apply(super::super::gauge::GaugeOp::Set(1.0));
        }
        let UndeclaredFamilies::Gauge(family) = &open else { unreachable!("made as a gauge") };
        assert_eq!((family.sorted().len(), open.overflowed()), (SERIES_CAP, 1));
    }
}
