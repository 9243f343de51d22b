//! The value of one series: a few atomics that any thread may change at any time.

use std::{
    fmt::Debug,
    ops::Deref,
    sync::{Arc, PoisonError},
};

use super::{
    store::{FamilyStore, Owner},
    text_table::Series,
    undeclared::{UndeclaredFamilies, UndeclaredFamily},
};
use crate::{
    dispatch::switch,
    facade::family::Kind,
    support::sync::{
        OnceLock, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Upper bounds of the histogram buckets in seconds, from the specification, section 3.3; `+Inf` follows.
pub(crate) const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// [`BUCKETS`] as the values of the label `le`.
pub(crate) const BUCKET_LABELS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];

/// What the storage, the handles and the exposition need to know of a kind of value.
pub trait Cell: Default + Debug + Send + Sync + Sized + 'static {
    /// One change of the value.
    type Op: Copy;
    /// The handle of the `metrics` crate for this kind.
    type Raw: Clone + Debug + Send + Sync + 'static;

    #[doc(hidden)]
    const KIND: Kind;

    /// Changes the value.
    fn apply(&self, op: Self::Op);
    /// Changes the value behind a foreign handle.
    fn apply_raw(raw: &Self::Raw, op: Self::Op);
    /// Whether nothing was ever recorded, as far as the value tells.
    fn is_untouched(&self) -> bool;
    /// How many samples were dropped because they are no numbers, since this was last asked.
    fn take_faults(&self) -> u64 {
        0
    }
    /// A foreign handle that does nothing.
    fn raw_noop() -> Self::Raw;
    /// A foreign handle on something that can apply changes.
    fn raw_from<A: Apply<Self>>(target: Arc<A>) -> Self::Raw;
    /// A foreign handle on a series.
    fn raw_series(series: Arc<Series<Self>>) -> Self::Raw;

    #[doc(hidden)]
    fn raw_samples<T>(_: Arc<Series<T>>) -> Option<Self::Raw>
    where
        T: Send + Sync + 'static,
        Series<T>: Apply<HistogramCell>,
    {
        None
    }
    #[doc(hidden)]
    fn own(family: Arc<FamilyStore<Self>>) -> Owner;
    #[doc(hidden)]
    fn owned(owner: &Owner) -> Option<&Arc<FamilyStore<Self>>>;
    #[doc(hidden)]
    fn opened(open: &UndeclaredFamilies) -> Option<&UndeclaredFamily<Self>>;
}

/// Something that takes changes: a cell, a series, a call site.
pub trait Apply<C: Cell>: Send + Sync + 'static {
    /// Takes one change.
    fn apply(&self, op: C::Op);
}

/// A place of a dense table, in a cache line that it shares with no other: threads on different series do not meet. Eight
/// counters in one line took four times what they take apart (`contention/counter-many` in the bench target `recording`).
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Slot<C> {
    /// The value until the first removal.
    first: C,
    /// The value since then, under a lock: nothing from a removal to the next record.
    later: OnceLock<Box<RwLock<Option<Arc<C>>>>>,
}

/// The value of a place that is to be shown.
pub(crate) enum Shown<'a, C> {
    First(&'a C),
    Later(Arc<C>),
}

impl<C> Deref for Shown<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        match self {
            Self::First(cell) => cell,
            Self::Later(cell) => cell,
        }
    }
}

impl<C: Cell> Slot<C> {
    #[inline(always)]
    pub(crate) fn apply(&self, op: C::Op) {
        if self.later.get().is_none() {
            self.first.apply(op);
        } else {
            self.apply_later(op);
        }
    }

    /// For `extern "C"` see [`state::contained`].
    #[inline(never)]
    extern "C" fn apply_later(&self, op: C::Op) {
        switch::slow(|| {
            let Some(later) = self.later.get() else { return };
            if let Some(cell) = &*later.read().unwrap_or_else(PoisonError::into_inner) {
                return cell.apply(op);
            }
            let new = Arc::<C>::default();
            later.write().unwrap_or_else(PoisonError::into_inner).get_or_insert(new).apply(op);
        });
    }

    /// The value; nothing from a removal to the next record.
    pub(crate) fn shown(&self) -> Option<Shown<'_, C>> {
        match self.later.get() {
            None => Some(Shown::First(&self.first)),
            Some(later) => later.read().unwrap_or_else(PoisonError::into_inner).clone().map(Shown::Later),
        }
    }

    /// Forgets the value; says what was wrong with it, see [`Cell::take_faults`]. A record that has just looked whether there
    /// was a removal goes to the value that is forgotten: it came before.
    pub(crate) fn remove(&self) -> u64 {
        let later = match self.later.get() {
            Some(later) => later,
            None => {
                let new = Box::new(RwLock::new(None));
                let _ = self.later.set(new);
                let Some(later) = self.later.get() else { return 0 };
                later
            }
        };
        let removed = later.write().unwrap_or_else(PoisonError::into_inner).take();
        removed.map_or(0, |cell| cell.take_faults())
    }

    /// As [`Cell::take_faults`], of all that the place has held.
    pub(crate) fn take_faults(&self) -> u64 {
        let later = self.later.get().and_then(|_| self.shown()).map_or(0, |cell| cell.take_faults());
        self.first.take_faults().saturating_add(later)
    }
}

/// A place of a dense table, kept alive by its own handle.
#[derive(Debug)]
pub(crate) struct DenseCell<C> {
    pub(crate) slots: Arc<[Slot<C>]>,
    pub(crate) index: usize,
}

impl<C: Cell> Apply<C> for DenseCell<C> {
    fn apply(&self, op: C::Op) {
        if let Some(slot) = self.slots.get(self.index) {
            slot.apply(op);
        }
    }
}

impl<C: Cell> Apply<C> for Series<C> {
    #[inline]
    fn apply(&self, op: C::Op) {
        if self.is_removed() {
            self.apply_anew(op);
        } else {
            self.cell.apply(op);
        }
    }
}

/// Lets the traits of `metrics` be implemented for everything that takes changes.
struct Target<A>(Arc<A>);

/// A change of a counter.
#[derive(Clone, Copy, Debug)]
pub enum CounterOp {
    /// Adds.
    Increment(u64),
    /// Raises to at least this value.
    Absolute(u64),
}

/// A monotonic count.
#[derive(Debug, Default)]
pub struct CounterCell(AtomicU64);

impl CounterCell {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Cell for CounterCell {
    type Op = CounterOp;
    type Raw = metrics::Counter;
    const KIND: Kind = Kind::Counter;

    #[inline]
    fn apply(&self, op: CounterOp) {
        match op {
            CounterOp::Increment(by) => self.0.fetch_add(by, Relaxed),
            CounterOp::Absolute(value) => self.0.fetch_max(value, Relaxed),
        };
    }

    fn apply_raw(raw: &metrics::Counter, op: CounterOp) {
        match op {
            CounterOp::Increment(by) => raw.increment(by),
            CounterOp::Absolute(value) => raw.absolute(value),
        }
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0
    }

    fn raw_noop() -> metrics::Counter {
        metrics::Counter::noop()
    }

    fn raw_from<A: Apply<Self>>(target: Arc<A>) -> metrics::Counter {
        metrics::Counter::from_arc(Arc::new(Target(target)))
    }

    fn raw_series(series: Arc<Series<Self>>) -> metrics::Counter {
        metrics::Counter::from_arc(series)
    }

    fn own(family: Arc<FamilyStore<Self>>) -> Owner {
        Owner::Counter(family)
    }

    fn owned(owner: &Owner) -> Option<&Arc<FamilyStore<Self>>> {
        match owner {
            Owner::Counter(family) => Some(family),
            _ => None,
        }
    }

    fn opened(open: &UndeclaredFamilies) -> Option<&UndeclaredFamily<Self>> {
        match open {
            UndeclaredFamilies::Counter(family) => Some(family),
            _ => None,
        }
    }
}

impl<A: Apply<CounterCell>> metrics::CounterFn for Target<A> {
    fn increment(&self, value: u64) {
        self.0.apply(CounterOp::Increment(value));
    }
    fn absolute(&self, value: u64) {
        self.0.apply(CounterOp::Absolute(value));
    }
}

// A series needs no wrapper, and so a registration that finds it no allocation.
impl metrics::CounterFn for Series<CounterCell> {
    fn increment(&self, value: u64) {
        self.apply(CounterOp::Increment(value));
    }
    fn absolute(&self, value: u64) {
        self.apply(CounterOp::Absolute(value));
    }
}

/// A change of a gauge.
#[derive(Clone, Copy, Debug)]
pub enum GaugeOp {
    /// Adds, or takes away when negative.
    Add(f64),
    /// Replaces.
    Set(f64),
}

/// A value that goes up and down: the bits of an `f64`.
#[derive(Debug, Default)]
pub struct GaugeCell(AtomicU64);

impl GaugeCell {
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

impl Cell for GaugeCell {
    type Op = GaugeOp;
    type Raw = metrics::Gauge;
    const KIND: Kind = Kind::Gauge;

    #[inline]
    fn apply(&self, op: GaugeOp) {
        match op {
            GaugeOp::Add(by) => add_f64(&self.0, by),
            GaugeOp::Set(value) => self.0.store(value.to_bits(), Relaxed),
        }
    }

    fn apply_raw(raw: &metrics::Gauge, op: GaugeOp) {
        match op {
            GaugeOp::Add(by) => raw.increment(by),
            GaugeOp::Set(value) => raw.set(value),
        }
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0.0
    }

    fn raw_noop() -> metrics::Gauge {
        metrics::Gauge::noop()
    }

    fn raw_from<A: Apply<Self>>(target: Arc<A>) -> metrics::Gauge {
        metrics::Gauge::from_arc(Arc::new(Target(target)))
    }

    fn raw_series(series: Arc<Series<Self>>) -> metrics::Gauge {
        metrics::Gauge::from_arc(series)
    }

    fn own(family: Arc<FamilyStore<Self>>) -> Owner {
        Owner::Gauge(family)
    }

    fn owned(owner: &Owner) -> Option<&Arc<FamilyStore<Self>>> {
        match owner {
            Owner::Gauge(family) => Some(family),
            _ => None,
        }
    }

    fn opened(open: &UndeclaredFamilies) -> Option<&UndeclaredFamily<Self>> {
        match open {
            UndeclaredFamilies::Gauge(family) => Some(family),
            _ => None,
        }
    }
}

impl<A: Apply<GaugeCell>> metrics::GaugeFn for Target<A> {
    fn increment(&self, value: f64) {
        self.0.apply(GaugeOp::Add(value));
    }
    fn decrement(&self, value: f64) {
        self.0.apply(GaugeOp::Add(-value));
    }
    fn set(&self, value: f64) {
        self.0.apply(GaugeOp::Set(value));
    }
}

impl metrics::GaugeFn for Series<GaugeCell> {
    fn increment(&self, value: f64) {
        self.apply(GaugeOp::Add(value));
    }
    fn decrement(&self, value: f64) {
        self.apply(GaugeOp::Add(-value));
    }
    fn set(&self, value: f64) {
        self.apply(GaugeOp::Set(value));
    }
}

/// A sample of a histogram, so many times.
#[derive(Clone, Copy, Debug)]
pub struct HistogramOp {
    pub(crate) value: f64,
    pub(crate) times: u64,
}

/// Counts by bucket and the sum of the samples. The count is derived from the buckets, so `+Inf` always equals it.
#[derive(Debug, Default)]
pub struct HistogramCell {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum: AtomicU64,
    /// Samples that were not numbers: dropped, and reported as errors at the next render.
    not_numbers: AtomicU64,
}

impl HistogramCell {
    /// The cumulative counts, one a bucket, `+Inf` last.
    pub(crate) fn cumulative(&self) -> [u64; BUCKETS.len() + 1] {
        let mut total = 0u64;
        self.buckets.each_ref().map(|bucket| {
            total = total.wrapping_add(bucket.load(Relaxed));
            total
        })
    }

    pub(crate) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Relaxed))
    }

    /// Samples dropped since this was last asked.
    pub(crate) fn take_not_numbers(&self) -> u64 {
        if self.not_numbers.load(Relaxed) == 0 { 0 } else { self.not_numbers.swap(0, Relaxed) }
    }
}

impl Cell for HistogramCell {
    type Op = HistogramOp;
    type Raw = metrics::Histogram;
    const KIND: Kind = Kind::Histogram;

    #[inline]
    fn apply(&self, HistogramOp { value, times }: HistogramOp) {
        if value.is_nan() {
            self.not_numbers.fetch_add(times, Relaxed);
            return;
        }
        let bucket = BUCKETS.iter().position(|bound| value <= *bound).unwrap_or(BUCKETS.len());
        // Always there; an index would be one more way to panic.
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(times, Relaxed);
        }
        add_f64(&self.sum, total(value, times));
    }

    fn apply_raw(raw: &metrics::Histogram, HistogramOp { value, times }: HistogramOp) {
        if times == 1 {
            raw.record(value);
        } else {
            raw.record_many(value, usize::try_from(times).unwrap_or(usize::MAX));
        }
    }

    fn is_untouched(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.load(Relaxed) == 0)
    }

    fn take_faults(&self) -> u64 {
        self.take_not_numbers()
    }

    fn raw_noop() -> metrics::Histogram {
        metrics::Histogram::noop()
    }

    fn raw_from<A: Apply<Self>>(target: Arc<A>) -> metrics::Histogram {
        metrics::Histogram::from_arc(Arc::new(Target(target)))
    }

    fn raw_series(series: Arc<Series<Self>>) -> metrics::Histogram {
        metrics::Histogram::from_arc(series)
    }

    fn raw_samples<T>(series: Arc<Series<T>>) -> Option<metrics::Histogram>
    where
        T: Send + Sync + 'static,
        Series<T>: Apply<HistogramCell>,
    {
        Some(metrics::Histogram::from_arc(series))
    }

    fn own(family: Arc<FamilyStore<Self>>) -> Owner {
        Owner::Histogram(family)
    }

    fn owned(owner: &Owner) -> Option<&Arc<FamilyStore<Self>>> {
        match owner {
            Owner::Histogram(family) => Some(family),
            _ => None,
        }
    }

    fn opened(open: &UndeclaredFamilies) -> Option<&UndeclaredFamily<Self>> {
        match open {
            UndeclaredFamilies::Histogram(family) => Some(family),
            _ => None,
        }
    }
}

impl<A: Apply<HistogramCell>> metrics::HistogramFn for Target<A> {
    fn record(&self, value: f64) {
        self.0.apply(HistogramOp { value, times: 1 });
    }
    fn record_many(&self, value: f64, count: usize) {
        self.0.apply(HistogramOp { value, times: count as u64 });
    }
}

impl<T> metrics::HistogramFn for Series<T>
where
    Series<T>: Apply<HistogramCell>,
{
    fn record(&self, value: f64) {
        self.apply(HistogramOp { value, times: 1 });
    }
    fn record_many(&self, value: f64, count: usize) {
        self.apply(HistogramOp { value, times: count as u64 });
    }
}

/// Counts by bucket, with bounds of a family's own.
#[cfg(feature = "temporal")]
#[derive(Debug)]
pub struct BoundedCell {
    bounds: &'static [f64],
    /// One a bound, and one for what is above them all.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    not_numbers: AtomicU64,
}

#[cfg(feature = "temporal")]
impl BoundedCell {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0), not_numbers: AtomicU64::new(0) }
    }

    /// The upper bounds and the cumulative counts of their buckets; after them the count of all.
    pub(crate) fn read(&self) -> (Vec<(f64, u64)>, f64, u64) {
        let mut total = 0u64;
        let mut counts = Vec::with_capacity(self.bounds.len());
        for (bucket, bound) in self.buckets.iter().zip(self.bounds.iter().copied().chain([f64::INFINITY])) {
            total = total.wrapping_add(bucket.load(Relaxed));
            counts.push((bound, total));
        }
        (counts, f64::from_bits(self.sum.load(Relaxed)), total)
    }

    /// Samples dropped since this was last asked.
    pub(crate) fn take_not_numbers(&self) -> u64 {
        self.not_numbers.swap(0, Relaxed)
    }
}

#[cfg(feature = "temporal")]
impl Apply<HistogramCell> for Series<BoundedCell> {
    fn apply(&self, op: HistogramOp) {
        if self.is_removed() {
            return self.apply_anew(op);
        }
        let (cell, HistogramOp { value, times }) = (&self.cell, op);
        if value.is_nan() {
            cell.not_numbers.fetch_add(times, Relaxed);
            return;
        }
        let bucket = cell.bounds.iter().position(|bound| value <= *bound).unwrap_or(cell.bounds.len());
        if let Some(bucket) = cell.buckets.get(bucket) {
            bucket.fetch_add(times, Relaxed);
            add_f64(&cell.sum, total(value, times));
        }
    }
}

/// So many samples together. None of an infinite one are nothing: a product would be no number, and the sum one for ever.
#[inline]
fn total(value: f64, times: u64) -> f64 {
    match times {
        0 => 0.0,
        1 => value,
        times => value * times as f64,
    }
}

/// Adds to the `f64` whose bits an atomic holds; no addition is lost.
#[inline]
fn add_f64(bits: &AtomicU64, by: f64) {
    let mut seen = bits.load(Relaxed);
    loop {
        let next = (f64::from_bits(seen) + by).to_bits();
        match bits.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_on_a_bound_belongs_to_the_bucket_of_that_bound() {
        let cell = HistogramCell::default();
        for bound in BUCKETS {
            cell.apply(HistogramOp { value: bound, times: 1 });
        }
        cell.apply(HistogramOp { value: 10.000_001, times: 1 });
        assert_eq!(cell.cumulative(), std::array::from_fn(|i| i as u64 + 1));
    }

    #[test]
    fn what_is_no_number_is_dropped_and_counted_and_infinity_is_in_the_last_bucket() {
        let cell = HistogramCell::default();
        cell.apply(HistogramOp { value: f64::NAN, times: 3 });
        cell.apply(HistogramOp { value: f64::INFINITY, times: 1 });
        assert_eq!((cell.take_not_numbers(), cell.take_not_numbers()), (3, 0));
        assert_eq!((cell.cumulative()[10], cell.cumulative()[11], cell.sum()), (0, 1, f64::INFINITY));
    }

    /// Found by the fuzz target `exposition`.
    #[test]
    fn no_samples_change_nothing_however_large_they_are() {
        let cell = HistogramCell::default();
        cell.apply(HistogramOp { value: 2.0, times: 3 });
        for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, 1.0] {
            cell.apply(HistogramOp { value, times: 0 });
        }
        assert_eq!((cell.sum(), cell.cumulative()[11], cell.take_not_numbers()), (6.0, 3, 0));
    }

    #[test]
    fn sums_and_gauges_lose_no_addition_between_threads() {
        let (histogram, gauge) = (HistogramCell::default(), GaugeCell::default());
        let rounds = if cfg!(miri) { 50 } else { 20_000 };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        histogram.apply(HistogramOp { value: 0.5, times: 1 });
                        gauge.apply(GaugeOp::Add(1.0));
                        gauge.apply(GaugeOp::Add(-0.5));
                    }
                });
            }
        });
        let total = 4 * rounds;
        assert_eq!(histogram.sum(), f64::from(total) * 0.5);
        assert_eq!(histogram.cumulative()[11], total as u64);
        assert_eq!(gauge.get(), f64::from(total) * 0.5);
    }

    #[test]
    fn bucket_labels_are_the_bounds() {
        for (bound, label) in BUCKETS.iter().zip(BUCKET_LABELS) {
            assert_eq!(bound.to_string(), label);
        }
    }
}
