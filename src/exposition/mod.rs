//! What a scrape reads: one walk over the store, and an [`Encoder`] for each format.

mod constant_labels;
mod encoder;
mod lines;
mod openmetrics;
#[cfg(feature = "view")]
mod page;
mod protobuf;
mod render;
mod spans;
pub(crate) mod text;
mod walk;

pub(crate) use encoder::{Encoder, Histogram, Metric, MetricType, Summary};
#[cfg(feature = "_scrape")]
pub(crate) use render::Format;
pub(crate) use walk::walk;

/// Everything that a scrape shows, in this format.
#[cfg(feature = "_scrape")]
pub(crate) fn render(store: &crate::storage::store::Store, format: Format) -> Vec<u8> {
    match format {
        Format::Text => text::render(store).into_bytes(),
        Format::OpenMetrics => openmetrics::render(store).into_bytes(),
        Format::Protobuf => protobuf::render(store),
        #[cfg(feature = "view")]
        Format::Page => page::render(store).into_bytes(),
    }
}
