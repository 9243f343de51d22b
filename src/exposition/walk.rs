//! The walk over a store, family by family: shows every value to an encoder.

use super::encoder::{Encoder, Histogram, Metric, MetricType, Summary};
use crate::storage::{
    cell::Cell,
    collector::Reading,
    counter::CounterCell,
    declared::DeclaredFamily,
    gauge::GaugeCell,
    histogram::{HistogramCell, HistogramReading},
    owner::Owner,
    store::Store,
    summary::SummaryCell,
    undeclared::{UndeclaredFamilies, UndeclaredFamily},
};

/// A value that a format can write.
trait Encode {
    const TYPE: MetricType;
    fn encode(&self, metric: Metric<'_>, encoder: &mut impl Encoder);
}

impl Encode for CounterCell {
    const TYPE: MetricType = MetricType::Counter;

    fn encode(&self, metric: Metric<'_>, encoder: &mut impl Encoder) {
        encoder.count(metric, self.get());
    }
}

impl Encode for GaugeCell {
    const TYPE: MetricType = MetricType::Gauge;

    fn encode(&self, metric: Metric<'_>, encoder: &mut impl Encoder) {
        encoder.number(metric, self.get());
    }
}

impl Encode for HistogramCell {
    const TYPE: MetricType = MetricType::Histogram;

    fn encode(&self, metric: Metric<'_>, encoder: &mut impl Encoder) {
        let HistogramReading { cumulative, native, sum } = &self.read(encoder.has_native());
        let (upper, bounds) = (self.upper(), self.labels());
        encoder.histogram(metric, &Histogram { upper, bounds, counts: cumulative, native, sum: *sum });
    }
}

impl Encode for SummaryCell {
    const TYPE: MetricType = MetricType::Summary;

    fn encode(&self, metric: Metric<'_>, encoder: &mut impl Encoder) {
        let (quantiles, sum, count) = self.read();
        encoder.summary(metric, &Summary { quantiles: &quantiles, sum, count });
    }
}

/// Writes the families whose names are included, and the readings of this scrape, sorted by name. A reading is left out if a family of
/// the store has its name.
pub(crate) fn walk(
    store: &Store,
    readings: Vec<Reading>,
    is_included: impl Fn(&str) -> bool,
    encoder: &mut impl Encoder,
) {
    let descriptions = store.descriptions();
    let mut readings = readings.into_iter().peekable();
    let mut owners = store.owners();
    owners.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (name, owner) in owners {
        while let Some(reading) = readings.next_if(|reading| *reading.name <= *name) {
            if reading.name != name {
                encode_reading(&reading, encoder);
            }
        }
        if !is_included(&name) {
            continue;
        }
        match &owner {
            Owner::Counter(family) => declared(family, encoder),
            Owner::Gauge(family) => declared(family, encoder),
            Owner::Histogram(family) => declared(family, encoder),
            Owner::Undeclared(families) => {
                let help = descriptions.get(&name).map(String::as_str);
                match families {
                    UndeclaredFamilies::Counter(family) => undeclared(family, help, encoder),
                    UndeclaredFamilies::Gauge(family) => undeclared(family, help, encoder),
                    UndeclaredFamilies::Histogram(family) => undeclared(family, help, encoder),
                    UndeclaredFamilies::Summary(family) => undeclared(family, help, encoder),
                }
            }
        }
    }
    readings.for_each(|reading| encode_reading(&reading, encoder));
}

fn declared<C: Cell + Encode>(family: &DeclaredFamily<C>, encoder: &mut impl Encoder) {
    let mut has_begun = false;
    family.for_each(|labels, created, cell| {
        if !std::mem::replace(&mut has_begun, true) {
            encoder.family(family.def.name, Some(family.def.help), C::TYPE);
        }
        cell.encode(Metric { labels, created }, encoder);
    });
}

fn undeclared<T: Encode + Send + Sync + 'static>(
    family: &UndeclaredFamily<T>,
    help: Option<&str>,
    encoder: &mut impl Encoder,
) {
    let series = family.sorted();
    if series.is_empty() {
        return;
    }
    encoder.family(&family.name, help, T::TYPE);
    for series in &series {
        series.cell.encode(Metric { labels: &series.label_text, created: series.created }, encoder);
    }
}

fn encode_reading(reading: &Reading, encoder: &mut impl Encoder) {
    let kind = if reading.is_counter { MetricType::Counter } else { MetricType::Gauge };
    encoder.family(reading.name, Some(reading.help), kind);
    // When it began to count is not known here.
    encoder.number(Metric { labels: "", created: 0 }, reading.value);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metrics::Key;

    use super::*;
    use crate::{
        exposition::text,
        storage::{collector::Collector, counter::CounterOp},
    };

    #[derive(Debug)]
    struct Fixed;

    impl Collector for Fixed {
        fn name(&self) -> &'static str {
            "fixed"
        }

        fn collect(&self, readings: &mut Vec<Reading>) {
            let names = ["z_read", "e_read", "c_stored_total", "a_read"];
            readings.extend(names.map(|name| Reading { name, help: "Read", is_counter: false, value: 1.0 }));
        }
    }

    #[test]
    fn what_is_read_stands_sorted_among_what_is_stored_which_keeps_its_names() {
        let store = Store::new(10);
        store.add_collector(Arc::new(Fixed));
        for name in ["f_stored_total", "c_stored_total"] {
            store.resolve::<CounterCell>(&Key::from_name(name)).apply(CounterOp::Increment(7));
        }
        let text = text::render(&store);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, ["a_read 1", "c_stored_total 7", "e_read 1", "f_stored_total 7", "z_read 1"]);
    }
}
