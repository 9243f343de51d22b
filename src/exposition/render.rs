//! One scrape: what is read for it, the labels of the configuration, and a buffer of the right size.

use std::sync::atomic::Ordering::Relaxed;

use super::{constant_labels::WithConstantLabels, encoder::Encoder, walk::walk};
use crate::{
    storage::{collector::Reading, store::Store},
    support::failpoint,
};

/// In which a scrape can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Text,
    /// The text format of OpenMetrics, version 1.0.0.
    OpenMetrics,
    /// `io.prometheus.client.MetricFamily`, delimited.
    Protobuf,
    /// What is between head and end of the page for people.
    #[cfg(feature = "view")]
    Page,
}

impl Format {
    /// How many there are: `format as usize` is below it.
    pub(crate) const COUNT: usize = if cfg!(feature = "view") { 4 } else { 3 };
}

/// Everything that a scrape shows. `new` makes the encoder, for so many bytes; `finish` takes what it wrote.
pub(super) fn render<E: Encoder, T: AsRef<[u8]>>(
    store: &Store,
    format: Format,
    new: impl FnOnce(usize, &[Reading]) -> E,
    finish: impl FnOnce(E) -> T,
) -> T {
    failpoint::point("render");
    let readings = store.collect();
    // As much as last time, and a little for what is new.
    let last = store.last_sizes.get(format as usize);
    let expected = last.map_or(0, |last| last.load(Relaxed));
    let mut encoder = new(expected.saturating_add(expected / 16), &readings);
    let constant = store.constant_labels();
    if constant.is_empty() {
        walk(store, readings, |_| true, &mut encoder);
    } else {
        let mut labelled = WithConstantLabels::new(&mut encoder, &constant);
        walk(store, readings, |_| true, &mut labelled);
        labelled.report(store);
    }
    let out = finish(encoder);
    if let Some(last) = last {
        last.store(out.as_ref().len(), Relaxed);
    }
    out
}
