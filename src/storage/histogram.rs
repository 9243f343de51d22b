//! The value of a histogram: counts by bucket, and the sum.

use super::cell::Cell;
#[cfg(feature = "temporal")]
use super::{cell::Apply, series::Series};
use crate::{
    schema::family::Kind,
    support::{
        atomic_f64::AtomicF64,
        sync::atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Upper bounds of the histogram buckets in seconds, from the specification, section 3.3; `+Inf` follows.
pub(crate) const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// [`BUCKETS`] as the values of the label `le`.
pub(crate) const BUCKET_LABELS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];

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

/// Counts by bucket and the sum of the samples. The count is the sum of the buckets, so `+Inf` always equals it.
#[derive(Debug, Default)]
pub struct HistogramCell {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum: AtomicF64,
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
        self.sum.get()
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
        let bucket = BUCKETS.iter().position(|bound| op.value <= *bound).unwrap_or(BUCKETS.len());
        // Always there; an index would be one more way to panic.
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(op.times, Relaxed);
        }
        self.sum.add(op.total());
    }

    fn is_untouched(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.load(Relaxed) == 0)
    }

    fn take_dropped(&self) -> u64 {
        if self.not_numbers.load(Relaxed) == 0 { 0 } else { self.not_numbers.swap(0, Relaxed) }
    }
}

/// Counts by bucket, with bounds of a family's own.
#[cfg(feature = "temporal")]
#[derive(Debug)]
pub struct BoundedCell {
    bounds: &'static [f64],
    /// One a bound, and one for what is above them all.
    buckets: Box<[AtomicU64]>,
    sum: AtomicF64,
    not_numbers: AtomicU64,
}

#[cfg(feature = "temporal")]
impl BoundedCell {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicF64::default(), not_numbers: AtomicU64::new(0) }
    }

    pub(crate) fn bounds(&self) -> &'static [f64] {
        self.bounds
    }

    /// The cumulative counts, one a bucket, `+Inf` last.
    pub(crate) fn cumulative(&self) -> Vec<u64> {
        let mut total = 0u64;
        let add = |bucket: &AtomicU64| {
            total = total.wrapping_add(bucket.load(Relaxed));
            total
        };
        self.buckets.iter().map(add).collect()
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sum.get()
    }

    /// Samples dropped since this was last asked.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.not_numbers.swap(0, Relaxed)
    }
}

#[cfg(feature = "temporal")]
impl Apply<HistogramCell> for Series<BoundedCell> {
    fn apply(&self, op: HistogramOp) {
        if self.is_removed() {
            return self.apply_anew(op);
        }
        let cell = &self.cell;
        if op.value.is_nan() {
            cell.not_numbers.fetch_add(op.times, Relaxed);
            return;
        }
        let bucket = cell.bounds.iter().position(|bound| op.value <= *bound).unwrap_or(cell.bounds.len());
        if let Some(bucket) = cell.buckets.get(bucket) {
            bucket.fetch_add(op.times, Relaxed);
            cell.sum.add(op.total());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::gauge::{GaugeCell, GaugeOp};

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
    fn bucket_labels_are_the_bounds() {
        for (bound, label) in BUCKETS.iter().zip(BUCKET_LABELS) {
            assert_eq!(bound.to_string(), label);
        }
    }
}
