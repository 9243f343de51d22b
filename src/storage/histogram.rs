//! The value of a histogram: its samples by bucket, and their sum. One write counts a sample in the classic histogram and in
//! the native one.

use std::sync::Arc;

use super::{
    cell::{Cell, Maker},
    native::{Bucket, CHUNK, CHUNKS, NativeCounts, Spot},
    samples::{CUT, Chunk, Rare, Samples, Shape},
};
use crate::{
    schema::{
        buckets::bounds_of_unit,
        family::{FamilyDef, Kind},
    },
    support::{
        on_demand::OnDemand,
        striped::Lanes,
        sync::atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A sample that is recorded `times` times.
#[derive(Clone, Copy, Debug)]
pub struct HistogramOp {
    pub(crate) value: f64,
    pub(crate) times: u64,
}

impl HistogramOp {
    /// What it adds to the sum. 0 times infinity would be NaN, and the sum would stay NaN for ever.
    #[inline]
    fn total(self) -> f64 {
        match self.times {
            0 => 0.0,
            1 => self.value,
            times => self.value * times as f64,
        }
    }
}

/// Counts by bucket and the sum of the samples. The count is the sum of the buckets, so `+Inf` always equals it, and so does
/// the count of the native histogram.
#[derive(Debug)]
pub struct HistogramCell {
    base: Samples,
    lanes: OnDemand<Lanes<Samples>>,
    rare: OnDemand<Rare>,
    /// How many samples were NaN. They are dropped, and reported as errors at the next render.
    not_numbers: AtomicU64,
    shape: Arc<Shape>,
}

/// What a histogram was at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HistogramReading {
    /// The cumulative counts, one a classic bucket, `+Inf` last.
    pub(crate) cumulative: Vec<u64>,
    /// The same samples in native buckets.
    pub(crate) native: NativeCounts,
    pub(crate) sum: f64,
}

impl HistogramCell {
    fn of(shape: Arc<Shape>) -> Self {
        Self {
            base: Samples::new(&shape),
            lanes: OnDemand::default(),
            rare: OnDemand::default(),
            not_numbers: AtomicU64::new(0),
            shape,
        }
    }

    /// Makes values with these upper bounds, which rise.
    pub(crate) fn maker_of(upper: &'static [f64]) -> Maker<Self> {
        let shape = Arc::new(Shape::new(upper));
        Maker::Shaped(Box::new(move || Self::of(shape.clone())))
    }

    /// The base and all lanes.
    fn parts(&self) -> impl Iterator<Item = &Samples> {
        std::iter::once(&self.base).chain(self.lanes.get().into_iter().flat_map(Lanes::iter))
    }

    /// Records a sample in the base or in a lane. Says whether another thread changed the sum meanwhile.
    #[inline(always)]
    fn record(&self, part: &Samples, op: HistogramOp) -> bool {
        let spot = Spot::of(op.value);
        let at = self.shape.at(spot);
        if at & CUT == 0
            && let Some(cell) = part.cell(spot)
        {
            cell.fetch_add(op.times, Relaxed);
            return part.sum.add(op.total());
        }
        self.record_apart(part, spot, at, op, op.total())
    }

    /// A sample whose native bucket is cut by a bound, is the zero bucket, or has no cell yet. For `extern "C"` see
    /// [`catch_panic`](crate::support::panics::catch_panic).
    #[inline(never)]
    #[allow(
        improper_ctypes_definitions,
        reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind"
    )]
    extern "C" fn record_apart(&self, part: &Samples, spot: Spot, at: u16, op: HistogramOp, total: f64) -> bool {
        match part.cut_or_zero(&self.shape, spot, at, op.value) {
            Some(cell) => {
                cell.fetch_add(op.times, Relaxed);
                part.sum.add(total)
            }
            None => self.record_rare(part, spot, op),
        }
    }

    /// A sample whose cell is not made yet or is in no chunk: negative, very large, infinite. Also NaN, which is dropped.
    #[cold]
    #[inline(never)]
    #[allow(
        improper_ctypes_definitions,
        reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind"
    )]
    extern "C" fn record_rare(&self, part: &Samples, spot: Spot, op: HistogramOp) -> bool {
        if op.value.is_nan() {
            self.not_numbers.fetch_add(op.times, Relaxed);
            return false;
        }
        let (classic, native) = (self.shape.classic_of(op.value), Bucket::of(op.value));
        let is_below_all_cuts = classic == self.shape.classic_of(native.smallest());
        let own = if is_below_all_cuts { self.own_cell(part, native, spot) } else { None };
        // The cell of the classic bucket is always there: no sample is lost.
        if let Some(cell) = own.or_else(|| part.classic(classic)) {
            cell.fetch_add(op.times, Relaxed);
        }
        part.sum.add(op.total())
    }

    /// The cell of a native bucket; `None` if it cannot be made. If a lane cannot have one, that of the base counts as well and
    /// is only slower.
    fn own_cell<'a>(&'a self, part: &'a Samples, bucket: Bucket, spot: Spot) -> Option<&'a AtomicU64> {
        if bucket == Bucket::Zero {
            return Some(&part.zero);
        }
        if spot.chunk >= CHUNKS {
            return self.rare.get_or_make(|| Some(Rare::default()))?.cell(bucket);
        }
        // The memory of all lanes together is bounded. The base has at most `CHUNKS` small chunks.
        let of_lane = if std::ptr::eq(part, &self.base) { None } else { self.lanes.get() };
        let own = of_lane.and_then(|lanes| part.made(spot, || lanes.grow(size_of::<Chunk>())));
        own.or_else(|| self.base.made(spot, || true))
    }

    /// For `extern "C"` see [`catch_panic`](crate::support::panics::catch_panic).
    #[cold]
    #[inline(never)]
    extern "C" fn spread(&self) {
        self.lanes.get_or_make(|| Lanes::new(Samples::own_bytes(&self.shape), || Samples::new(&self.shape)));
    }

    #[inline(never)]
    #[allow(
        improper_ctypes_definitions,
        reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind"
    )]
    extern "C" fn record_lane(&self, lanes: &Lanes<Samples>, op: HistogramOp) {
        lanes.change(|lane| self.record(lane, op));
    }

    /// The upper bounds of the classic buckets, `+Inf` left out.
    pub(crate) fn upper(&self) -> &'static [f64] {
        self.shape.upper
    }

    /// The values of the label `le`, `+Inf` last.
    pub(crate) fn labels(&self) -> &[Box<str>] {
        &self.shape.labels
    }

    /// Reads every cell once, so that the classic and the native histogram have the same samples. The native one is empty unless
    /// it is asked for.
    pub(crate) fn read(&self, with_native: bool) -> HistogramReading {
        let mut reading = HistogramReading { cumulative: vec![0; self.shape.classic()], ..HistogramReading::default() };
        self.counts(|native, classic, count| {
            if let Some(bucket) = reading.cumulative.get_mut(classic) {
                *bucket = bucket.wrapping_add(count);
            }
            if with_native {
                reading.native.add(native(), count);
            }
        });
        reading.native.sort();
        let mut total = 0u64;
        for bucket in &mut reading.cumulative {
            total = total.wrapping_add(*bucket);
            *bucket = total;
        }
        reading.sum = self.sum();
        reading
    }

    pub(crate) fn sum(&self) -> f64 {
        self.parts().map(|part| part.sum.get()).sum()
    }

    /// Calls `show` for each cell that has samples, with its native bucket, its classic bucket and its count.
    fn counts(&self, mut show: impl FnMut(&dyn Fn() -> Bucket, usize, u64)) {
        let mut show = |native: &dyn Fn() -> Bucket, classic: usize, count: u64| {
            if count > 0 {
                show(native, classic, count);
            }
        };
        let always = |cell: &dyn Fn(&Samples) -> Option<&AtomicU64>| {
            let counts = self.parts().filter_map(cell).map(|cell| cell.load(Relaxed));
            counts.fold(0u64, u64::wrapping_add)
        };
        // The samples in the cell of a native bucket are below all cuts.
        let classic_of = |native: Bucket| self.shape.classic_of(native.smallest());
        show(&|| Bucket::Zero, classic_of(Bucket::Zero), always(&|part| Some(&part.zero)));
        for classic in 0..self.shape.classic() {
            show(&|| self.shape.native_of(classic), classic, always(&|part| part.classic(classic)));
        }
        for at in 0..CHUNKS {
            let mut chunks = self.parts().filter_map(|part| part.chunks.get(at)?.get()).peekable();
            if chunks.peek().is_none() {
                continue;
            }
            let mut counts = [0; CHUNK];
            chunks.for_each(|chunk| chunk.add_to(&mut counts));
            for (cell, count) in counts.into_iter().enumerate() {
                let spot = Spot { chunk: at, cell };
                show(&|| spot.bucket(), usize::from(self.shape.at(spot) & !CUT), count);
            }
        }
        for (native, count) in self.rare.get().into_iter().flat_map(Rare::counts) {
            show(&|| native, classic_of(native), count);
        }
    }

    #[cfg(test)]
    pub(crate) fn cumulative(&self) -> Vec<u64> {
        self.read(false).cumulative
    }
}

/// With the bounds of seconds.
impl Default for HistogramCell {
    fn default() -> Self {
        Self::of(Arc::new(Shape::new(bounds_of_unit("_seconds").unwrap_or_default())))
    }
}

impl Cell for HistogramCell {
    type Op = HistogramOp;
    const KIND: Kind = Kind::Histogram;

    #[inline]
    fn apply(&self, op: HistogramOp) {
        match self.lanes.get() {
            None => {
                if self.record(&self.base, op) {
                    self.spread();
                }
            }
            Some(lanes) => self.record_lane(lanes, op),
        }
    }

    fn is_untouched(&self) -> bool {
        let mut is_untouched = true;
        self.counts(|_, _, _| is_untouched = false);
        is_untouched
    }

    fn maker(def: &FamilyDef) -> Maker<Self> {
        Self::maker_of(def.bounds)
    }

    fn alike(&self) -> Self {
        Self::of(self.shape.clone())
    }

    fn take_dropped(&self) -> u64 {
        if self.not_numbers.load(Relaxed) == 0 { 0 } else { self.not_numbers.swap(0, Relaxed) }
    }
}

#[cfg(test)]
mod tests;
