//! One scrape in any format: runs the collectors, adds the labels of the configuration, and walks over the store.

use std::sync::atomic::Ordering::Relaxed;

use super::{Format, constant_labels::WithConstantLabels, encoder::Encoder, walk::walk};
use crate::{
    storage::{
        collector::Reading,
        store::{MOST_FORMATS, Store},
    },
    support::failpoint,
};

const _: () = assert!(Format::COUNT <= MOST_FORMATS, "a format has no place in `Store::last_sizes`");

/// Everything that a scrape shows. `new` makes an encoder, with room for so many bytes; `finish` takes its output.
pub(super) fn render<E: Encoder, T: AsRef<[u8]>>(
    store: &Store,
    format: Format,
    new: impl FnOnce(usize, &[Reading]) -> E,
    finish: impl FnOnce(E) -> T,
) -> T {
    failpoint::point("render");
    let readings = store.collect();
    // The size of the last answer, and a little for new series.
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
