//! What a scrape reads: one walk over the store, and an [`Encoder`] for each format.

mod constant_labels;
mod encoder;
pub(crate) mod text;
mod walk;

pub(crate) use encoder::{Encoder, Histogram, MetricType, Summary};
pub(crate) use walk::walk;
