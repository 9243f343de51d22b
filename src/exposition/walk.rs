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
