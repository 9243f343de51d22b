//! The buckets of a native histogram: in which one a sample is, and the bounds of each.
//!
//! Schema 3 of the specification: eight buckets an octave, each 2^(1/8) = 1.09 times as high as the one below it. Bucket `i`
//! holds what is above 2^((i-1)/8) and at most 2^(i/8). A negative sample has the index of its absolute value. What is at most
//! [`ZERO_THRESHOLD`] away from 0 is in the zero bucket. The infinities are in the buckets behind the largest finite ones.
//!
//! A bucket includes its upper bound and not its lower one. So the index is computed from the next smaller `f64`: its exponent
//! gives the octave, and its four leading bits the sixteenth of the octave. A sixteenth is narrower than any bucket, so at most
//! one bound lies in it.

/// Eight buckets an octave.
pub(crate) const SCHEMA: i32 = 3;
/// The zero bucket goes from minus this to plus this: 0.47 ns, where a sample is a time in seconds.
pub(crate) const ZERO_THRESHOLD: f64 = f64::from_bits(((EXPONENT_OF_1 as i64 + LOWEST_OCTAVE) as u64) << MANTISSA);

/// Buckets of an octave.
pub(super) const OCTAVE: usize = 8;
/// The buckets of eight octaves, whose cells are made together.
pub(super) const CHUNK: usize = 8 * OCTAVE;
/// How many chunks a value can have. Together they go from the zero bucket to 2^65. So every `u64` and every `Duration` in
/// seconds is in one of them, or in the zero bucket.
pub(super) const CHUNKS: usize = if cfg!(models) { 1 } else { 12 };

/// The first chunk begins at 2 to the power of this. In a model there is one chunk, from 1/128 to 2.
const LOWEST_OCTAVE: i64 = if cfg!(models) { -7 } else { -31 };
/// The bits of the mantissa, without the leading 1.
const MANTISSA: u32 = 52;
/// The exponent bits of 1.0.
const EXPONENT_OF_1: u64 = 1023;
/// The exponent bits at which the first chunk begins, divided by eight. Every chunk begins at a multiple of eight.
const FIRST_CHUNK: usize = ((EXPONENT_OF_1 as i64 + LOWEST_OCTAVE) / 8) as usize;
/// The index of the first bucket of the first chunk.
const FIRST_INDEX: i32 = LOWEST_OCTAVE as i32 * 8 + 1;
/// The index of the bucket of infinity: one more than that of `f64::MAX`.
const INFINITE: i32 = 8 * 1024 + 1;

/// The lower bounds of an octave's buckets: the mantissas of 2^(0/8) to 2^(7/8). Half of a number has the same mantissa, so
/// they are written as halves, as in Prometheus. The numbers are those of Prometheus to the last digit, also where that digit
/// is not the nearest one.
const BOUNDS: [u64; OCTAVE] = [
    mantissa(0.5),
    mantissa(0.545_253_866_332_628_8),
    mantissa(0.594_603_557_501_360_5),
    mantissa(0.648_419_777_325_504_8),
    mantissa(0.707_106_781_186_547_5),
    mantissa(0.771_105_412_703_970_4),
    mantissa(0.840_896_415_253_714_4),
    mantissa(0.917_004_043_204_671_1),
];

const fn mantissa(number: f64) -> u64 {
    number.to_bits() & ((1 << MANTISSA) - 1)
}

/// The bits of a mantissa below the four that say which sixteenth of an octave it is.
const REST: u32 = MANTISSA - 4;

/// For each sixteenth of an octave: in the high bits, how many bounds lie below it; in the low bits, how far the bound in it is
/// from its end. Adding the low bits of a number in this sixteenth carries into the high bits if the number is not below the
/// bound. The high bits are then the place of the bucket in its octave.
#[allow(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const SIXTEENTHS: [u64; 16] = {
    let mut sixteenths = [0; 16];
    let mut i = 0;
    while i < 16 {
        let mut bound = 1;
        while bound < OCTAVE {
            let sixteenth = (BOUNDS[bound] >> REST) as usize;
            if sixteenth < i {
                sixteenths[i] += 1 << REST;
            } else if sixteenth == i {
                sixteenths[i] += (1 << REST) - (BOUNDS[bound] & ((1 << REST) - 1));
            }
            bound += 1;
        }
        i += 1;
    }
    sixteenths
};

/// The bits of the next `f64` towards 0. For 0 these are the bits of a NaN.
#[inline(always)]
fn below(value: f64) -> u64 {
    value.to_bits().wrapping_sub(1)
}

/// The place of a bucket in its octave, for the bits of [`below`].
#[inline(always)]
fn in_octave(below: u64) -> usize {
    let sixteenth = SIXTEENTHS.get((below >> REST) as usize & 15).copied().unwrap_or_default();
    (sixteenth.wrapping_add(below & ((1 << REST) - 1)) >> REST) as usize
}

/// A bucket, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    Negative(i32),
    Zero,
    Positive(i32),
}

impl Bucket {
    /// The bucket of a sample that is not NaN.
    pub(super) fn of(sample: f64) -> Self {
        let amount = sample.abs();
        if amount <= ZERO_THRESHOLD {
            return Self::Zero;
        }
        let index = if amount.is_infinite() { INFINITE } else { index(below(amount)) };
        if sample < 0.0 { Self::Negative(index) } else { Self::Positive(index) }
    }

    /// The smallest number in it.
    pub(super) fn smallest(self) -> f64 {
        match self {
            Self::Negative(index) => -upper_bound(index),
            Self::Zero => -ZERO_THRESHOLD,
            Self::Positive(index) => upper_bound(index.wrapping_sub(1)).next_up(),
        }
    }

    /// The largest number in it.
    pub(super) fn largest(self) -> f64 {
        match self {
            Self::Negative(index) => (-upper_bound(index.wrapping_sub(1))).next_down(),
            Self::Zero => ZERO_THRESHOLD,
            Self::Positive(index) => upper_bound(index),
        }
    }
}

/// The index of a bucket, for the bits of [`below`].
fn index(below: u64) -> i32 {
    let octave = ((below >> MANTISSA) as i32).wrapping_sub(EXPONENT_OF_1 as i32);
    octave.wrapping_mul(OCTAVE as i32).wrapping_add(in_octave(below) as i32).wrapping_add(1)
}

/// 2^(index/8), for an index above that of the zero threshold; `f64::MAX` for the largest finite bucket.
fn upper_bound(index: i32) -> f64 {
    if index >= INFINITE {
        return f64::INFINITY;
    }
    let mantissa = BOUNDS.get(index.rem_euclid(OCTAVE as i32) as usize).copied().unwrap_or_default();
    let exponent = index.div_euclid(OCTAVE as i32).wrapping_add(EXPONENT_OF_1 as i32);
    f64::from_bits((exponent as u64) << MANTISSA | mantissa).min(f64::MAX)
}

/// The place of a bucket among the cells of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// [`CHUNKS`] or more for a bucket that is in no chunk.
    pub(super) chunk: usize,
    /// Less than [`CHUNK`].
    pub(super) cell: usize,
}

impl Spot {
    /// The spot of any sample, also of NaN.
    #[inline(always)]
    pub(super) fn of(sample: f64) -> Self {
        let below = below(sample);
        // A sample that is in the zero bucket, negative, infinite or NaN has first bits that are those of no chunk.
        let chunk = ((below >> (MANTISSA + 3)) as usize).wrapping_sub(FIRST_CHUNK);
        let octave = (below >> MANTISSA) as usize & 7;
        Self { chunk, cell: (octave << 3 | in_octave(below)) & (CHUNK - 1) }
    }

    /// The bucket that is here.
    pub(super) fn bucket(self) -> Bucket {
        let place = self.chunk.wrapping_mul(CHUNK).wrapping_add(self.cell);
        Bucket::Positive(FIRST_INDEX.wrapping_add(place as i32))
    }
}

/// The counts of a native histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NativeCounts {
    pub(crate) zero: u64,
    /// Index and count of each bucket with samples, the index rising.
    pub(crate) positive: Vec<(i32, u64)>,
    pub(crate) negative: Vec<(i32, u64)>,
}

impl NativeCounts {
    pub(super) fn add(&mut self, bucket: Bucket, count: u64) {
        match bucket {
            Bucket::Negative(index) => self.negative.push((index, count)),
            Bucket::Zero => self.zero = self.zero.wrapping_add(count),
            Bucket::Positive(index) => self.positive.push((index, count)),
        }
    }

    /// Sorts by index and joins equal indices. To be called once everything is added.
    pub(super) fn sort(&mut self) {
        for buckets in [&mut self.negative, &mut self.positive] {
            buckets.sort_unstable_by_key(|(index, _)| *index);
            buckets.dedup_by(|later, earlier| {
                let is_same = later.0 == earlier.0;
                if is_same {
                    earlier.1 = earlier.1.wrapping_add(later.1);
                }
                is_same
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds of one octave as Prometheus writes them, from one half.
    const HALVES: [f64; 8] = [
        0.5,
        0.545_253_866_332_628_8,
        0.594_603_557_501_360_5,
        0.648_419_777_325_504_8,
        0.707_106_781_186_547_5,
        0.771_105_412_703_970_4,
        0.840_896_415_253_714_4,
        0.917_004_043_204_671_1,
    ];

    /// The index of a positive sample by the definition: halved or doubled until it is in one octave, then a search.
    fn slow_index(sample: f64) -> i32 {
        let (mut fraction, mut octave) = (sample, 0);
        while fraction >= 1.0 {
            (fraction, octave) = (fraction / 2.0, octave + 1);
        }
        while fraction < 0.5 {
            (fraction, octave) = (fraction * 2.0, octave - 1);
        }
        (octave - 1) * 8 + HALVES.partition_point(|bound| *bound < fraction) as i32
    }

    /// A generator of numbers; the same ones each time.
    fn numbers() -> impl Iterator<Item = u64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
    }

    /// On each bound, beside each, and anywhere: all exponents, subnormals, the largest and the smallest.
    fn samples() -> impl Iterator<Item = f64> {
        let bounds = (-1074..1024).flat_map(|octave| HALVES.map(|half| half * 2.0 * 2f64.powi(octave)));
        let near = bounds.flat_map(|bound| [bound.next_down(), bound, bound.next_up()]);
        let any =
            numbers().take(if cfg!(miri) { 100 } else { 50_000 }).map(|bits| f64::from_bits(bits & (u64::MAX >> 1)));
        near.chain(any).chain([f64::MIN_POSITIVE, f64::MAX]).filter(|sample| sample.is_finite() && *sample > 0.0)
    }

    #[test]
    fn the_bucket_of_a_sample_is_that_of_the_definition() {
        let mut seen = 0;
        for sample in samples() {
            let index = slow_index(sample);
            let (positive, negative) = match sample <= ZERO_THRESHOLD {
                true => (Bucket::Zero, Bucket::Zero),
                false => (Bucket::Positive(index), Bucket::Negative(index)),
            };
            assert_eq!((Bucket::of(sample), Bucket::of(-sample)), (positive, negative), "{sample:e}");
            seen += 1;
        }
        assert!(seen > 10_000, "{seen}");
        assert_eq!(slow_index(f64::MAX), INFINITE - 1);
        assert_eq!(Bucket::of(f64::INFINITY), Bucket::Positive(INFINITE));
        assert_eq!(Bucket::of(f64::NEG_INFINITY), Bucket::Negative(INFINITE));
        assert_eq!([0.0, -0.0, ZERO_THRESHOLD, -ZERO_THRESHOLD].map(Bucket::of), [Bucket::Zero; 4]);
    }

    #[test]
    fn a_bucket_holds_the_numbers_from_its_smallest_to_its_largest_and_no_other() {
        for sample in samples().chain([f64::INFINITY]).flat_map(|sample| [sample, -sample]) {
            let bucket = Bucket::of(sample);
            let (smallest, largest) = (bucket.smallest(), bucket.largest());
            assert!(smallest <= sample && sample <= largest, "{sample:e} in {bucket:?}: {smallest:e} to {largest:e}");
            assert_eq!((Bucket::of(smallest), Bucket::of(largest)), (bucket, bucket), "{sample:e}");
            let beside = [smallest.next_down(), largest.next_up()].map(Bucket::of);
            assert!(
                (beside[0] != bucket || smallest == f64::NEG_INFINITY)
                    && (beside[1] != bucket || largest == f64::INFINITY),
                "{sample:e}: {bucket:?}, {beside:?}"
            );
        }
    }

    #[test]
    fn a_bucket_is_nine_percent_wide() {
        for index in -247..8_192 {
            let (lower, upper) = (upper_bound(index - 1), upper_bound(index));
            let exact = 2f64.powf(f64::from(index) / 8.0).min(f64::MAX);
            assert!((upper / exact - 1.0).abs() < 1e-12, "{index}: {upper:e}, {exact:e}");
            assert!(upper / lower < 1.0906, "{index}");
        }
    }

    #[test]
    fn a_sample_has_a_spot_if_its_bucket_is_in_a_chunk() {
        let highest = upper_bound((LOWEST_OCTAVE as i32 + 8 * CHUNKS as i32) * 8);
        assert_eq!((ZERO_THRESHOLD, highest), (2f64.powi(-31), 2f64.powi(65)));
        for sample in samples() {
            let spot = Spot::of(sample);
            let is_in = sample > ZERO_THRESHOLD && sample <= highest;
            assert_eq!(spot.chunk < CHUNKS, is_in, "{sample:e}: {spot:?}");
            assert!(Spot::of(-sample).chunk >= CHUNKS, "{sample:e}");
            if is_in {
                assert_eq!(spot.bucket(), Bucket::of(sample), "{sample:e}: {spot:?}");
            }
        }
        for sample in [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Spot::of(sample).chunk >= CHUNKS, "{sample}");
        }
        for sample in [std::time::Duration::MAX.as_secs_f64(), 1e-9, u64::MAX as f64] {
            assert!(Spot::of(sample).chunk < CHUNKS, "{sample}");
        }
    }
}
