//! The value of an undeclared histogram without a unit in its name: quantiles of the last minute, as the exporter has them.

use std::{
    num::NonZeroU32,
    sync::{Arc, LazyLock, PoisonError},
    time::Duration,
};

use metrics_exporter_prometheus::Distribution;
use metrics_util::{Quantile, parse_quantiles};
use quanta::Instant;

use super::{
    cell::Apply,
    histogram::{HistogramCell, HistogramOp},
    series::Series,
};
use crate::support::{
    reentrancy::slow,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The exporter's rolling summary, behind a lock that is held for one sample or one snapshot.
#[derive(Debug)]
pub struct SummaryCell {
    distribution: Mutex<Distribution>,
    /// Samples that a summary has no place for: dropped, and reported as errors at the next render.
    dropped: AtomicU64,
}

impl Default for SummaryCell {
    fn default() -> Self {
        /// Quantiles and windows (three of twenty seconds) as the exporter's builder sets them.
        static QUANTILES: LazyLock<Arc<Vec<Quantile>>> =
            LazyLock::new(|| Arc::new(parse_quantiles(&[0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0])));
        const WINDOW: Duration = Duration::from_secs(20);
        let windows = NonZeroU32::new(3).unwrap_or(NonZeroU32::MIN);
        let distribution = Mutex::new(Distribution::new_summary(QUANTILES.clone(), WINDOW, windows));
        Self { distribution, dropped: AtomicU64::new(0) }
    }
}

impl SummaryCell {
    /// How many samples were dropped since the last call.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Relaxed)
    }

    /// Quantiles and their values, the sum and the count.
    pub(crate) fn read(&self) -> (Vec<(f64, f64)>, f64, u64) {
        match &*self.distribution.lock().unwrap_or_else(PoisonError::into_inner) {
            Distribution::Summary(summary, quantiles, sum) => {
                let snapshot = summary.snapshot(Instant::now());
                // Without samples in the windows the quantiles are NaN, as the format has it.
                let value = |quantile: f64| snapshot.quantile(quantile).unwrap_or(f64::NAN);
                let values = quantiles.iter().map(|q| (q.value(), value(q.value()))).collect();
                (values, *sum, summary.count() as u64)
            }
            // Made above, as a summary.
            _ => (Vec::new(), 0.0, 0),
        }
    }
}

impl Apply<HistogramCell> for Series<SummaryCell> {
    fn apply(&self, op: HistogramOp) {
        if self.is_removed() {
            return self.apply_anew(op);
        }
        let HistogramOp { value, times } = op;
        // A sketch cannot hold these, and after one of them the sum would never be finite again.
        if !value.is_finite() {
            self.cell.dropped.fetch_add(times, Relaxed);
            return;
        }
        // A sketch grows, and an allocator may record that.
        slow(|| {
            let sample = [(value, Instant::now())];
            // At most 1,000 under one lock, because a render waits for it.
            let mut left = times;
            while left > 0 {
                let mut distribution = self.cell.distribution.lock().unwrap_or_else(PoisonError::into_inner);
                let now = left.min(1_000);
                (0..now).for_each(|_| distribution.record_samples(&sample));
                left = left.saturating_sub(now);
            }
        });
    }
}
