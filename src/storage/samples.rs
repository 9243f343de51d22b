//! The cells in which a histogram counts its samples.
//!
//! A cell counts samples that lie in one bucket of the native histogram and in one of the classic histogram, so that both are
//! sums of the same cells. Most cells come in chunks of eight octaves, each made at its first sample.
//!
//! If a bound of the classic histogram cuts a native bucket, the cell of that native bucket has the samples up to the first
//! bound in it. Samples above that bound are counted in the cell of their classic bucket. There is one such cell for each
//! classic bucket, from the start.

use super::native::{Bucket, CHUNK, CHUNKS, OCTAVE, Spot, ZERO_THRESHOLD};
use crate::support::{
    atomic_f64::AtomicF64,
    on_demand::OnDemand,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The buckets of one family.
#[derive(Debug)]
pub(super) struct Shape {
    /// The upper bounds of the classic buckets, which rise.
    pub(super) upper: &'static [f64],
    /// The values of the label `le`, `+Inf` last.
    pub(super) labels: Box<[Box<str>]>,
    /// For each cell of a chunk, the classic bucket of its samples; [`CUT`] is added where a bound cuts the native bucket.
    cells: [[u16; CHUNK]; CHUNKS],
    /// No bound cuts the zero bucket.
    is_zero_whole: bool,
}

/// This bit says that a bound cuts the native bucket. The bits below are the index of a classic bucket: no family has so many
/// bounds.
pub(super) const CUT: u16 = 1 << 15;

impl Shape {
    pub(super) fn new(upper: &'static [f64]) -> Self {
        let labels = upper.iter().map(|bound| bound.to_string().into()).chain(["+Inf".into()]).collect();
        let first = |bucket: Bucket| upper.partition_point(|bound| *bound < bucket.smallest());
        let is_whole = |bucket: Bucket| upper.get(first(bucket)).is_none_or(|bound| *bound >= bucket.largest());
        let cell = |chunk, cell| {
            let bucket = Spot { chunk, cell }.bucket();
            let classic = u16::try_from(first(bucket)).map_or(CUT.wrapping_sub(1), |first| first & !CUT);
            if is_whole(bucket) { classic } else { classic | CUT }
        };
        let cells = std::array::from_fn(|chunk| std::array::from_fn(|at| cell(chunk, at)));
        Self { upper, labels, cells, is_zero_whole: is_whole(Bucket::Zero) }
    }

    /// How many classic buckets there are.
    pub(super) fn classic(&self) -> usize {
        self.labels.len()
    }

    /// The index of a sample's classic bucket: the number of bounds below it. A sample on a bound belongs to the bucket of that
    /// bound.
    pub(super) fn classic_of(&self, sample: f64) -> usize {
        self.upper.partition_point(|bound| *bound < sample)
    }

    /// The native bucket of what is counted in the cell of a classic bucket: the one just above the lower bound. For the first
    /// classic bucket, which has none, it is that of the upper bound.
    pub(super) fn native_of(&self, classic: usize) -> Bucket {
        let lower = classic.checked_sub(1).and_then(|lower| self.upper.get(lower)).map(|lower| lower.next_up());
        lower.or(self.upper.first().copied()).map_or(Bucket::Zero, Bucket::of)
    }

    /// The classic bucket of the cell at a spot, and [`CUT`] if a bound cuts its native bucket; 0 if nothing is at the spot.
    #[inline(always)]
    pub(super) fn at(&self, spot: Spot) -> u16 {
        self.cells.get(spot.chunk).and_then(|cells| cells.get(spot.cell)).copied().unwrap_or_default()
    }

    /// The classic bucket of a sample that is above the first bound in its native bucket.
    #[inline(always)]
    fn above_cut(&self, at: u16, sample: f64) -> Option<usize> {
        if at & CUT == 0 {
            return None;
        }
        let first = usize::from(at & !CUT);
        let mut classic = first;
        while self.upper.get(classic).is_some_and(|bound| *bound < sample) {
            classic = classic.wrapping_add(1);
        }
        (classic != first).then_some(classic)
    }
}

/// Eight cells, in a cache line of their own: threads on different series do not meet.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Line([AtomicU64; OCTAVE]);

/// The cells of eight octaves, a line each.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Chunk([AtomicU64; CHUNK]);

impl Default for Chunk {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::default()))
    }
}

/// What a thread changes with a sample: the base of a histogram, or one lane of it.
#[derive(Debug)]
pub(super) struct Samples {
    /// A cell for each classic bucket, and what fills the last line.
    classic: Box<[Line]>,
    pub(super) chunks: [OnDemand<Chunk>; CHUNKS],
    /// The cell of the zero bucket.
    pub(super) zero: AtomicU64,
    pub(super) sum: AtomicF64,
}

impl Samples {
    /// With the cells that are always there.
    pub(super) fn new(shape: &Shape) -> Self {
        Self {
            classic: (0..Self::lines(shape)).map(|_| Line::default()).collect(),
            chunks: std::array::from_fn(|_| OnDemand::default()),
            zero: AtomicU64::default(),
            sum: AtomicF64::default(),
        }
    }

    fn lines(shape: &Shape) -> usize {
        shape.classic().div_ceil(OCTAVE)
    }

    /// The bytes that a new one has on the heap.
    pub(super) fn own_bytes(shape: &Shape) -> usize {
        Self::lines(shape).wrapping_mul(size_of::<Line>())
    }

    /// The cell of a classic bucket.
    pub(super) fn classic(&self, bucket: usize) -> Option<&AtomicU64> {
        self.classic.get(bucket / OCTAVE)?.0.get(bucket % OCTAVE)
    }

    /// The cell at a spot; `None` if its chunk is not made yet, or the spot is in no chunk.
    #[inline(always)]
    pub(super) fn cell(&self, spot: Spot) -> Option<&AtomicU64> {
        self.chunks.get(spot.chunk)?.get()?.0.get(spot.cell)
    }

    /// The cell of a sample whose native bucket is cut or is the zero bucket; `None` if the cell is not made yet.
    #[inline(always)]
    pub(super) fn cut_or_zero(&self, shape: &Shape, spot: Spot, at: u16, sample: f64) -> Option<&AtomicU64> {
        if let Some(classic) = shape.above_cut(at, sample) {
            return self.classic(classic);
        }
        if sample.abs() <= ZERO_THRESHOLD && shape.is_zero_whole { Some(&self.zero) } else { self.cell(spot) }
    }

    /// The cell at a spot. Makes its chunk first if there is none and `may` allows it.
    pub(super) fn made(&self, spot: Spot, may: impl FnOnce() -> bool) -> Option<&AtomicU64> {
        self.chunks.get(spot.chunk)?.get_or_make(|| may().then(Chunk::default))?.0.get(spot.cell)
    }
}

impl Chunk {
    pub(super) fn add_to(&self, counts: &mut [u64; CHUNK]) {
        for (count, cell) in counts.iter_mut().zip(&self.0) {
            *count = count.wrapping_add(cell.load(Relaxed));
        }
    }
}

/// The cells of samples that are in no chunk: negative, infinite, or larger than every duration. There is room for eight
/// octaves. Samples in further octaves are counted by their classic bucket alone.
#[derive(Debug, Default)]
pub(super) struct Rare([OnDemand<RareOctave>; 8]);

#[derive(Debug)]
struct RareOctave {
    /// The bucket of its first cell.
    first: Bucket,
    cells: [AtomicU64; OCTAVE],
}

impl Rare {
    /// The cell of a bucket that is not the zero bucket. Makes it if there is room.
    pub(super) fn cell(&self, bucket: Bucket) -> Option<&AtomicU64> {
        let (first, cell) = match bucket {
            Bucket::Negative(index) => {
                let (first, cell) = split(index);
                (Bucket::Negative(first), cell)
            }
            Bucket::Positive(index) => {
                let (first, cell) = split(index);
                (Bucket::Positive(first), cell)
            }
            Bucket::Zero => return None,
        };
        let octave = self.0.iter().find_map(|octave| {
            let octave = octave.get_or_make(|| Some(RareOctave { first, cells: Default::default() }))?;
            (octave.first == first).then_some(octave)
        });
        octave?.cells.get(cell)
    }

    /// The buckets and their counts.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Bucket, u64)> {
        self.0.iter().filter_map(OnDemand::get).flat_map(|octave| {
            let bucket = |cell: usize| match octave.first {
                Bucket::Negative(first) => Bucket::Negative(first.wrapping_add(cell as i32)),
                Bucket::Positive(first) => Bucket::Positive(first.wrapping_add(cell as i32)),
                Bucket::Zero => Bucket::Zero,
            };
            octave.cells.iter().enumerate().map(move |(cell, count)| (bucket(cell), count.load(Relaxed)))
        })
    }
}

/// The first index of the octave that an index is in, and how far it is from there.
fn split(index: i32) -> (i32, usize) {
    let cell = index.wrapping_sub(1).rem_euclid(OCTAVE as i32);
    (index.wrapping_sub(cell), cell as usize)
}
