//! Random families, labels, values and operations, as for `exposition`; every format has the samples of the text. And random
//! samples of one histogram: the classic and the native one have what the definitions of their buckets say.

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use arbitrary::{Result, Unstructured};
use compozy_monitoring::{Config, MonitoringService, families};

use crate::{
    exposition,
    scrape::{Format, Samples, scrape},
    text::{Families, Family, Native},
};

families! {
    /// Bounds below zero and above, some in one bucket of the native histogram, some on its bounds.
    histogram SAMPLES = "compozy_fuzz_samples" buckets [-1.5, -1.45, 0, 0.005, 1, 1.01, 1.05, 2, 2.5e6, 1e300] { path: str };
}

const BOUNDS: [f64; 10] = [-1.5, -1.45, 0.0, 0.005, 1.0, 1.01, 1.05, 2.0, 2.5e6, 1e300];

/// The process's own service: no other one can have native histograms.
static SERVICE: LazyLock<Mutex<MonitoringService>> = LazyLock::new(|| {
    let config = Config::default().enabled(true).native_histograms(true);
    Mutex::new(MonitoringService::new(config).expect("valid"))
});

/// Runs the operations that the bytes stand for, and reads every format.
pub fn formats(data: &[u8]) {
    let service = exposition::recorded(data);
    let [text, openmetrics, protobuf] =
        [Format::Text, Format::OpenMetrics, Format::Protobuf].map(|format| scrape(&service, format));
    let expected = samples(&text);
    for (format, families) in [(Format::OpenMetrics, &openmetrics), (Format::Protobuf, &protobuf)] {
        let read = samples(families);
        for (sample, value) in &expected {
            assert_eq!(read.get(sample), Some(value), "{sample:?} in {format:?}");
        }
        assert_eq!(read.len(), expected.len(), "{format:?}");
    }
    for (name, family) in &text {
        // A counter has another name in OpenMetrics, and where that is taken another type.
        let base = if family.kind == "counter" { name.strip_suffix("_total").unwrap_or(name) } else { name };
        let is = |name: &str, kinds: &[&str]| {
            openmetrics.get(name).is_some_and(|other| other.help == family.help && kinds.contains(&other.kind.as_str()))
        };
        assert!(is(base, &[&family.kind]) || family.kind == "counter" && is(name, &["unknown"]), "{name}");
        let other = &protobuf[name];
        assert_eq!((&other.kind, &other.help), (&family.kind, &family.help), "{name}");
    }
    assert_eq!((openmetrics.len(), protobuf.len()), (text.len(), text.len()));
    native(data);
}

/// Records the samples that the bytes stand for, and reads them.
fn native(data: &[u8]) {
    let (mut u, mut samples) = (Unstructured::new(data), Vec::new());
    while let Ok(sample) = sample(&mut u)
        && !u.is_empty()
    {
        samples.push(sample);
    }
    let service = SERVICE.lock().unwrap_or_else(PoisonError::into_inner);
    SAMPLES.remove("x");
    let series = SAMPLES.with("x");
    samples.iter().for_each(|(value, times)| series.record_many(*value, *times));
    let [text, protobuf] = [Format::Text, Format::Protobuf].map(|format| scrape(&service, format));
    drop(service);
    samples.retain(|(value, times)| !value.is_nan() && *times > 0);
    let name = "compozy_fuzz_samples";
    let of_family = |families: &Families| families.get(name).map(samples_of_family);
    assert_eq!(of_family(&protobuf), of_family(&text));
    let family = &protobuf[name];
    for bound in BOUNDS.into_iter().chain([f64::INFINITY]) {
        let expected: usize = samples.iter().filter(|(value, _)| *value <= bound).map(|(_, times)| times).sum();
        let (_, count) = family
            .samples
            .iter()
            .find(|((_, labels), _)| labels.get("le").is_some_and(|le| le.parse() == Ok(bound)))
            .expect("a bucket");
        assert_eq!(*count, expected as f64, "{bound} of {samples:?}");
    }
    let [read] = family.native.values().collect::<Vec<_>>()[..] else { panic!("one native histogram") };
    let (mut expected, mut rare) = (Native::default(), BTreeSet::new());
    for (value, times) in &samples {
        let amount = value.abs();
        if amount <= 2f64.powi(-31) {
            expected.zero += *times as u64;
            continue;
        }
        let index = index(amount);
        let buckets = if *value < 0.0 { &mut expected.negative } else { &mut expected.positive };
        *buckets.entry(index).or_default() += *times as u64;
        if *value < 0.0 || amount > 2f64.powi(65) {
            rare.insert((*value < 0.0, (index - 1).div_euclid(8)));
        }
    }
    // Octaves of such samples are kept up to eight. The reader has compared the count of all.
    if rare.len() <= 8 {
        assert_eq!(*read, expected, "{samples:?}");
    }
}

/// A sample, and how many times: any number, or one on a bound or beside it.
fn sample(u: &mut Unstructured<'_>) -> Result<(f64, usize)> {
    let (kind, times) = (u.arbitrary::<u8>()?, usize::from(u.arbitrary::<u8>()? % 8));
    let value = match kind % 4 {
        0 => u.arbitrary()?,
        1 => HALVES[u.choose_index(8)?] * 2f64.powi(i32::from(u.arbitrary::<i8>()?)),
        2 => HALVES[u.choose_index(8)?] * 2f64.powi(i32::from(u.arbitrary::<i8>()? % 8)),
        _ => BOUNDS[u.choose_index(BOUNDS.len())?],
    };
    let value = if kind & 4 == 0 { value } else { -value };
    Ok((
        match kind / 8 % 3 {
            0 => value,
            1 => value.next_up(),
            _ => value.next_down(),
        },
        times,
    ))
}

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

/// The bucket of a positive sample by the definition: halved or doubled until it is in one octave, then a search.
fn index(sample: f64) -> i64 {
    if sample.is_infinite() {
        return 8 * 1024 + 1;
    }
    let (mut fraction, mut octave) = (sample, 0);
    while fraction >= 1.0 {
        (fraction, octave) = (fraction / 2.0, octave + 1);
    }
    while fraction < 0.5 {
        (fraction, octave) = (fraction * 2.0, octave - 1);
    }
    (octave - 1) * 8 + HALVES.partition_point(|bound| *bound < fraction) as i64
}

/// All samples but the time that passes, with bounds and quantiles as numbers.
fn samples(families: &Families) -> Samples {
    families
        .values()
        .flat_map(samples_of_family)
        .filter(|((name, _), _)| name != "compozy_uptime_seconds_total")
        .collect()
}

fn samples_of_family(family: &Family) -> Samples {
    let alike = family.samples.iter().map(|((name, labels), value)| {
        let mut labels = labels.clone();
        for label in ["le", "quantile"] {
            if ["histogram", "summary"].contains(&family.kind.as_str())
                && let Some(text) = labels.get_mut(label)
            {
                *text = text.parse::<f64>().expect("a number").to_string();
            }
        }
        ((name.clone(), labels), if value.is_nan() { u64::MAX } else { value.to_bits() })
    });
    alike.collect()
}
