use std::collections::BTreeMap;

use super::*;
use crate::storage::{
    gauge::{GaugeCell, GaugeOp},
    native::ZERO_THRESHOLD,
};

#[test]
fn a_sample_on_a_bound_belongs_to_the_bucket_of_that_bound() {
    let cell = HistogramCell::default();
    for bound in bounds_of_unit("_seconds").unwrap() {
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
    let lanes = cell.lanes.get().expect("spread").iter().count();
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
            assert!(now.1 >= seen.1 && now.0.iter().zip(&seen.0).all(|(now, seen)| now >= seen), "{now:?} {seen:?}");
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
            assert_eq!((cell.labels().len(), cell.alike().cumulative()), (bounds.len() + 1, vec![0; bounds.len() + 1]));
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

/// Bounds on native ones, inside of native buckets, several in one, around zero, negative, and as far out as there are any.
const LADDERS: [&[f64]; 9] = [
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
    &[100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8],
    &[7.0],
    &[1.0, 1.01, 1.02, 1.05, 1.09, 1.1],
    &[-1.0, 0.0, 1.0],
    &[-1e-12, 0.0, 1e-12, 1e-9],
    &[-3.0, -2.9, -2.8, -1.0],
    &[f64::MIN, -1e300, 1e300, f64::MAX],
    &[f64::MIN_POSITIVE, 2.0],
];

/// A generator of numbers; the same ones each time.
fn numbers(mut state: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

/// From 0 to 1, without 1.
fn fractions(seed: u64) -> impl Iterator<Item = f64> {
    numbers(seed).map(|bits| (bits >> 11) as f64 / (1u64 << 53) as f64)
}

fn reading_of(samples: &[f64], upper: &[f64]) -> (Vec<u64>, NativeCounts) {
    let cumulative = upper.iter().chain([&f64::INFINITY]);
    let cumulative = cumulative.map(|bound| samples.iter().filter(|sample| *sample <= bound).count() as u64).collect();
    let (mut positive, mut negative, mut zero) = (BTreeMap::new(), BTreeMap::new(), 0);
    for sample in samples {
        match Bucket::of(*sample) {
            Bucket::Zero => zero += 1,
            Bucket::Positive(index) => *positive.entry(index).or_default() += 1,
            Bucket::Negative(index) => *negative.entry(index).or_default() += 1,
        }
    }
    let [positive, negative] = [positive, negative].map(|buckets| buckets.into_iter().collect());
    (cumulative, NativeCounts { zero, positive, negative })
}

#[test]
fn every_sample_is_in_its_classic_and_in_its_native_bucket() {
    for upper in LADDERS {
        // Where there are cells: whatever is in a chunk, and eight octaves beside.
        let near = upper.iter().flat_map(|bound| [bound.next_down(), *bound, bound.next_up()]);
        let near = near.filter(|sample| !(2f64.powi(65)..).contains(&sample.abs()));
        let special =
            [0.0, -0.0, ZERO_THRESHOLD, -ZERO_THRESHOLD, 1e-300, f64::INFINITY, f64::NEG_INFINITY, -1.5, -1.0];
        let rounds = if cfg!(miri) { 20 } else { 5_000 };
        let wide = fractions(1).take(rounds).map(|fraction| 2f64.powf(fraction * 96.0 - 31.0));
        let narrow = fractions(2).take(rounds).map(|fraction| 0.9 + fraction / 4.0);
        let samples: Vec<f64> = near.chain(special).chain(wide).chain(narrow).collect();
        let cell = HistogramCell::maker_of(upper).make();
        for (i, value) in samples.iter().enumerate() {
            cell.apply(HistogramOp { value: *value, times: 1 });
            // Some before the lanes, some in them.
            if i == samples.len() / 2 {
                cell.spread();
            }
        }
        let reading = cell.read(true);
        assert_eq!((reading.cumulative, reading.native), reading_of(&samples, upper), "{upper:?}");
    }
}

#[test]
fn a_classic_bound_that_is_no_native_one_costs_no_sample_its_native_bucket() {
    // Both bounds are in one native bucket, and so are all samples.
    let cell = HistogramCell::maker_of(&[1.02, 1.05]).make();
    for value in [1.01, 1.02, 1.03, 1.05, 1.06] {
        cell.apply(HistogramOp { value, times: 1 });
    }
    let reading = cell.read(true);
    assert_eq!((reading.cumulative, reading.native.positive), (vec![2, 4, 5], vec![(1, 5)]));
}

/// What Prometheus makes of a quantile: inside of a bucket, it goes by the logarithm.
fn quantile(native: &NativeCounts, quantile: f64) -> f64 {
    let count: u64 = native.positive.iter().map(|(_, count)| count).sum();
    let mut rank = quantile * count as f64;
    for (index, count) in &native.positive {
        if rank <= *count as f64 {
            return 2f64.powf((f64::from(*index) - 1.0 + rank / *count as f64) / 8.0);
        }
        rank -= *count as f64;
    }
    f64::NAN
}

#[test]
fn quantiles_of_two_writers_from_a_microsecond_to_twelve_days_are_near_the_truth() {
    let each = if cfg!(miri) { 500 } else { 500_000 };
    let cell = HistogramCell::default();
    // Each order of magnitude is as frequent as any other.
    let (shortest, longest) = (1e-6_f64, 12.0 * 86_400.0);
    let sample = |fraction: f64| shortest * (longest / shortest).powf(fraction);
    let mut all: Vec<f64> = std::thread::scope(|scope| {
        let writers = [3, 4].map(|seed| {
            let cell = &cell;
            scope.spawn(move || {
                let samples: Vec<f64> = fractions(seed).take(each).map(sample).collect();
                samples.iter().for_each(|value| cell.apply(HistogramOp { value: *value, times: 1 }));
                samples
            })
        });
        writers.into_iter().flat_map(|writer| writer.join().expect("no panic")).collect()
    });
    all.sort_unstable_by(f64::total_cmp);
    let reading = cell.read(true);
    let native: u64 = reading.native.positive.iter().map(|(_, count)| count).sum();
    assert_eq!((reading.cumulative[11], native), (all.len() as u64, all.len() as u64));
    assert_eq!(
        (reading.cumulative.clone(), reading.native.clone()),
        reading_of(&all, bounds_of_unit("_seconds").unwrap())
    );
    for q in [0.5, 0.99, 0.999] {
        let truth = all[(q * all.len() as f64) as usize];
        let error = quantile(&reading.native, q) / truth - 1.0;
        assert!(error.abs() < 0.044, "{q}: {error}");
    }
}

#[test]
fn where_no_memory_may_be_asked_for_a_sample_is_counted_by_its_classic_bucket() {
    let cell = HistogramCell::default();
    let record = |value| cell.apply(HistogramOp { value, times: 1 });
    let lock = crate::support::sync::Mutex::new(());
    let held = lock.lock();
    let _ = [0.0, 0.03, 0.2, 20.0, -1.0].map(record);
    drop(held);
    let reading = cell.read(true);
    assert_eq!(reading.cumulative, [2, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4, 5]);
    // Just above the bound below each, or with the bound above it.
    let expected = [0.005, 0.025f64.next_up(), 0.1f64.next_up(), 10f64.next_up()].map(Bucket::of);
    let positive: Vec<Bucket> = reading.native.positive.iter().map(|(index, _)| Bucket::Positive(*index)).collect();
    assert_eq!((reading.native.zero, reading.native.negative), (1, vec![]));
    assert_eq!(positive, expected);
    // What the base has, the lanes need not have.
    record(0.03);
    cell.spread();
    let held = lock.lock();
    record(0.03);
    drop(held);
    assert!(cell.read(true).native.positive.contains(&(slow_index(0.03), 2)), "{:?}", cell.read(true).native);
}

fn slow_index(sample: f64) -> i32 {
    (sample.log2() * 8.0).ceil() as i32
}

#[test]
fn samples_in_too_many_rare_octaves_are_counted_by_their_classic_bucket() {
    let cell = HistogramCell::default();
    let samples: Vec<f64> = (0..40).map(|i| -(2f64.powi(i))).chain((70..110).map(|i| 2f64.powi(i))).collect();
    samples.iter().for_each(|value| cell.apply(HistogramOp { value: *value, times: 1 }));
    let HistogramReading { cumulative, native, .. } = cell.read(true);
    assert_eq!((cumulative[0], cumulative[10], cumulative[11]), (40, 40, 80));
    let count = |buckets: &[(i32, u64)]| buckets.iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!((count(&native.negative), native.negative.len()), (8, 8));
    assert_eq!((native.zero, count(&native.positive)), (0, 72));
}

#[test]
fn a_series_has_the_cells_of_its_octaves_and_no_more() {
    let chunks = |part: &Samples| part.chunks.iter().filter(|chunk| chunk.get().is_some()).count();
    let cell = HistogramCell::default();
    assert_eq!(chunks(&cell.base), 0);
    // What is above a bound in that bound's native bucket has a cell from the start, and so has 0.
    cell.apply(HistogramOp { value: 0.005f64.next_up(), times: 1 });
    cell.apply(HistogramOp { value: 0.0, times: 1 });
    assert_eq!(chunks(&cell.base), 0);
    for value in [0.000_04, 0.002, 0.005, 0.007] {
        cell.apply(HistogramOp { value, times: 1 });
        assert_eq!(chunks(&cell.base), 1, "{value}");
    }
    cell.spread();
    cell.apply(HistogramOp { value: 3.0, times: 1 });
    let lanes: usize = cell.lanes.get().expect("spread").iter().map(chunks).sum();
    assert_eq!((chunks(&cell.base), lanes), (1, 1));
    // docs/operations.md has these.
    assert_eq!((size_of::<Chunk>(), CHUNKS), (512, 12));
    assert!(size_of::<HistogramCell>() <= 160, "{}", size_of::<HistogramCell>());
}
