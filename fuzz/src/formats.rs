//! Random families, labels, values and operations, as for `exposition`; every format has the samples of the text.

use crate::{
    exposition,
    scrape::{Format, Samples, scrape},
    text::Families,
};

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
}

/// All samples but the time that passes, with bounds and quantiles as numbers.
fn samples(families: &Families) -> Samples {
    let all = families.values().flat_map(|family| family.samples.iter().map(move |sample| (family, sample)));
    let all = all.filter(|(_, ((name, _), _))| name != "compozy_uptime_seconds_total");
    let alike = all.map(|(family, ((name, labels), value))| {
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
