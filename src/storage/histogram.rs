//! The value of a histogram: counts by bucket, and the sum.

use std::sync::Arc;

use super::cell::{Cell, Maker};
use crate::{
    schema::{
        buckets::bounds_of_unit,
        family::{FamilyDef, Kind},
    },
    support::{
        atomic_f64::AtomicF64,
        striped::{Lanes, Spread},
        sync::atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A sample, so many times.
#[derive(Clone, Copy, Debug)]
pub struct HistogramOp {
    pub(crate) value: f64,
    pub(crate) times: u64,
}

impl HistogramOp {
    /// What it adds to the sum. No samples of an infinite value add nothing: the product would not be a number, and neither
    /// would the sum be, for ever.
    #[inline]
    fn total(self) -> f64 {
        match self.times {
            0 => 0.0,
            1 => self.value,
            times => self.value * times as f64,
        }
    }
}

/// The bounds of a family, and how they are written.
#[derive(Debug)]
struct Bounds {
    upper: &'static [f64],
    /// The values of the label `le`, `+Inf` last.
    labels: Box<[Box<str>]>,
}

impl Bounds {
    fn new(upper: &'static [f64]) -> Arc<Self> {
        let labels = upper.iter().map(|bound| bound.to_string().into()).chain(["+Inf".into()]).collect();
        Arc::new(Self { upper, labels })
    }
}

/// Eight buckets, in a cache line of their own: threads on different series do not meet.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; LINE]);

const LINE: usize = 8;

/// What a thread changes with a sample: the whole histogram, or one lane of it.
#[derive(Debug)]
struct Samples {
    /// One bucket for each bound, one for what is above them all, and what fills the last line.
    lines: Box<[Line]>,
    sum: AtomicF64,
}

impl Samples {
    fn new(buckets: usize) -> Self {
        let lines = (0..buckets.div_ceil(LINE)).map(|_| Line::default()).collect();
        Self { lines, sum: AtomicF64::default() }
    }

    #[inline(always)]
    fn bucket(&self, bucket: usize) -> Option<&AtomicU64> {
        self.lines.get(bucket / LINE)?.0.get(bucket % LINE)
    }

    /// Takes a sample into this bucket; says whether another thread came in between.
    #[inline(always)]
    fn record(&self, bucket: usize, op: HistogramOp) -> bool {
        // Always there; an index would be one more way to panic.
        if let Some(bucket) = self.bucket(bucket) {
            bucket.fetch_add(op.times, Relaxed);
        }
        self.sum.add(op.total())
    }
}

/// Counts by bucket and the sum of the samples. The count is the sum of the buckets, so `+Inf` always equals it.
#[derive(Debug)]
pub struct HistogramCell {
    /// Those of `bounds`, which a record needs at once.
    upper: &'static [f64],
    base: Samples,
    spread: Spread<Lanes<Samples>>,
    /// Samples that were not numbers: dropped, and reported as errors at the next render.
    not_numbers: AtomicU64,
    bounds: Arc<Bounds>,
}

impl HistogramCell {
    fn of(bounds: Arc<Bounds>) -> Self {
        let buckets = bounds.labels.len();
        Self {
            upper: bounds.upper,
            base: Samples::new(buckets),
            spread: Spread::default(),
            not_numbers: AtomicU64::new(0),
            bounds,
        }
    }

    /// Makes values with these upper bounds, which rise.
    pub(crate) fn maker_of(upper: &'static [f64]) -> Maker<Self> {
        let bounds = Bounds::new(upper);
        Maker::Shaped(Box::new(move || Self::of(bounds.clone())))
    }

    /// The base and all lanes.
    fn parts(&self) -> impl Iterator<Item = &Samples> {
        std::iter::once(&self.base).chain(self.spread.get().into_iter().flat_map(Lanes::iter))
    }

    /// The counts of the buckets.
    fn counts(&self) -> impl Iterator<Item = u64> {
        let of_part = |bucket| self.parts().filter_map(move |part| part.bucket(bucket));
        (0..self.bounds.labels.len())
            .map(move |bucket| of_part(bucket).fold(0u64, |count, part| count.wrapping_add(part.load(Relaxed))))
    }

    /// For `extern "C"` see [`catch_panic`](crate::support::panics::catch_panic).
    #[cold]
    #[inline(never)]
    extern "C" fn spread(&self) {
        let own = self.base.lines.len().saturating_mul(size_of::<Line>());
        self.spread.make(|| Lanes::new(own, || Samples::new(self.bounds.labels.len())));
    }

    #[inline(never)]
    #[allow(
        improper_ctypes_definitions,
        reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind"
    )]
    extern "C" fn record_lane(lanes: &Lanes<Samples>, bucket: usize, op: HistogramOp) {
        lanes.change(|lane| lane.record(bucket, op));
    }

    /// The values of the label `le`, `+Inf` last.
    /// The upper bounds, `+Inf` left out.
    pub(crate) fn upper(&self) -> &'static [f64] {
        self.upper
    }

    pub(crate) fn labels(&self) -> &[Box<str>] {
        &self.bounds.labels
    }

    /// The cumulative counts, one a bucket, `+Inf` last.
    pub(crate) fn cumulative(&self) -> Vec<u64> {
        let mut total = 0u64;
        let add = |count: u64| {
            total = total.wrapping_add(count);
            total
        };
        self.counts().map(add).collect()
    }

    pub(crate) fn sum(&self) -> f64 {
        self.parts().map(|part| part.sum.get()).sum()
    }
}

/// With the bounds of seconds.
impl Default for HistogramCell {
    fn default() -> Self {
        Self::of(Bounds::new(bounds_of_unit("_seconds").unwrap_or_default()))
    }
}

impl Cell for HistogramCell {
    type Op = HistogramOp;
    const KIND: Kind = Kind::Histogram;

    #[inline]
    fn apply(&self, op: HistogramOp) {
        if op.value.is_nan() {
            self.not_numbers.fetch_add(op.times, Relaxed);
            return;
        }
        // As many as are below it: a sample on a bound belongs to the bucket of that bound.
        let bucket = self.upper.partition_point(|bound| *bound < op.value);
        match self.spread.get() {
            None => {
                if self.base.record(bucket, op) {
                    self.spread();
                }
            }
            Some(lanes) => Self::record_lane(lanes, bucket, op),
        }
    }

    fn is_untouched(&self) -> bool {
        self.counts().all(|count| count == 0)
    }

    fn maker(def: &FamilyDef) -> Maker<Self> {
        Self::maker_of(def.bounds)
    }

    fn alike(&self) -> Self {
        Self::of(self.bounds.clone())
    }

    fn take_dropped(&self) -> u64 {
        if self.not_numbers.load(Relaxed) == 0 { 0 } else { self.not_numbers.swap(0, Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::gauge::{GaugeCell, GaugeOp};

    #[test]
    fn a_sample_on_a_bound_belongs_to_the_bucket_of_that_bound() {
        let cell = HistogramCell::default();
        for bound in cell.upper {
            cell.apply(HistogramOp { value: *bound, times: 1 });
        }
        cell.apply(HistogramOp { value: 10.000_001, times: 1 });
        assert_eq!(cell.cumulative(), (1..=12).collect::<Vec<u64>>());
    }

    #[test]
    fn what_is_no_number_is_dropped_and_counted_and_infinity_is_in_the_last_bucket() {
        let cell = HistogramCell::default();
        cell.apply(HistogramOp { value: f64::NAN, times: 3 });
        cell.apply(HistogramOp { value: f64::INFINITY, times: 1 });
        assert_eq!((cell.take_dropped(), cell.take_dropped()), (3, 0));
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
        assert_eq!((cell.sum(), cell.cumulative()[11], cell.take_dropped()), (6.0, 3, 0));
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
    fn a_spread_histogram_is_what_its_samples_make_it() {
        let cell = HistogramCell::default();
        let sample = |value| cell.apply(HistogramOp { value, times: 2 });
        sample(0.5);
        cell.spread();
        let lanes = cell.spread.get().expect("spread").iter().count();
        std::thread::scope(|scope| {
            (0..3 * lanes).for_each(|_| _ = scope.spawn(|| [0.005, 0.5, 20.0].map(sample)));
        });
        let each = 6 * lanes as u64;
        let counts = cell.cumulative();
        assert_eq!((counts[0], counts[5], counts[6], counts[11]), (each, each, 2 * each + 2, 3 * each + 2));
        assert!((cell.sum() - (1.0 + 20.505 * each as f64)).abs() < 1e-9);
        assert!(!cell.is_untouched());
    }

    #[test]
    fn no_scrape_sees_a_bucket_or_a_sum_fall_while_threads_come_and_go() {
        let (cell, rounds) = (HistogramCell::default(), if cfg!(miri) { 20 } else { 10_000u64 });
        let threads = if cfg!(miri) { 4 } else { 40 };
        std::thread::scope(|scope| {
            let record = || {
                for i in 0..rounds {
                    let value = if i % 2 == 0 { 0.25 } else { 4.0 };
                    cell.apply(HistogramOp { value, times: 1 });
                }
            };
            let all = scope.spawn(move || {
                for _ in 0..threads / 4 {
                    std::thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(record)));
                }
            });
            let mut seen = (cell.cumulative(), cell.sum());
            while !all.is_finished() {
                let now = (cell.cumulative(), cell.sum());
                assert!(
                    now.1 >= seen.1 && now.0.iter().zip(&seen.0).all(|(now, seen)| now >= seen),
                    "{now:?} {seen:?}"
                );
                seen = now;
            }
        });
        let total = threads * rounds;
        assert_eq!((cell.cumulative()[5], cell.cumulative()[11], cell.sum()), (total / 2, total, total as f64 * 2.125));
    }

    #[test]
    fn a_histogram_with_bounds_of_its_own_spreads_as_well() {
        static MANY: [f64; 40] = [1.0; 40];
        let cell = HistogramCell::maker_of(&MANY).make();
        let record = |value| cell.apply(HistogramOp { value, times: 1 });
        record(1.0);
        cell.spread();
        std::thread::scope(|scope| (0..8).for_each(|_| _ = scope.spawn(|| [1.0, 2.0].map(record))));
        let counts = cell.cumulative();
        assert_eq!((counts.len(), counts[0], counts[40], cell.sum()), (41, 9, 17, 25.0));
    }

    #[test]
    fn whatever_the_bounds_a_sample_is_in_the_bucket_that_a_search_from_below_finds() {
        static MANY: [f64; 30] = {
            let mut bounds = [0.0; 30];
            let mut i = 0;
            while i < 30 {
                bounds[i] = i as f64 * 3.0 - 40.0;
                i += 1;
            }
            bounds
        };
        for bounds in [&[7.0][..], &[-1.0, 0.0, 1.0], &MANY[..7], &MANY[..8], &MANY, &[f64::MIN, f64::MAX]] {
            let maker = HistogramCell::maker_of(bounds);
            let samples = bounds.iter().flat_map(|bound| [*bound, bound.next_up(), bound.next_down()]);
            for value in samples.chain([f64::NEG_INFINITY, f64::INFINITY, 0.0, -0.0]) {
                let cell = maker.make();
                cell.apply(HistogramOp { value, times: 2 });
                let expected: Vec<u64> =
                    bounds.iter().chain([&f64::INFINITY]).map(|bound| if value <= *bound { 2 } else { 0 }).collect();
                assert_eq!(cell.cumulative(), expected, "{value} in {bounds:?}");
                assert_eq!(
                    (cell.labels().len(), cell.alike().cumulative()),
                    (bounds.len() + 1, vec![0; bounds.len() + 1])
                );
            }
        }
    }

    #[test]
    fn the_labels_of_buckets_are_the_bounds() {
        let labels = |bounds| HistogramCell::maker_of(bounds).make().labels().join(" ");
        assert_eq!(labels(bounds_of_unit("x_seconds").unwrap()), "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf");
        let bytes = "100 1000 10000 100000 1000000 10000000 100000000 +Inf";
        assert_eq!(labels(bounds_of_unit("x_bytes").unwrap()), bytes);
        assert_eq!(labels(&[-1.5, 0.1, 1e15]), "-1.5 0.1 1000000000000000 +Inf");
    }
}
