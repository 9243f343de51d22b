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
pub(crate) use walk::walk;

/// The format of an answer to a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format of OpenMetrics, version 1.0.0.
    OpenMetrics,
    /// `io.prometheus.client.MetricFamily`, delimited.
    Protobuf,
    /// The content of the page for people, without the head and the end of the document.
    #[cfg(feature = "view")]
    Page,
    /// The text format of Prometheus, version 0.0.4. The last variant: [`COUNT`](Self::COUNT) is taken from it.
    Text,
}

impl Format {
    /// How many formats there are: `format as usize` is less.
    pub(crate) const COUNT: usize = Self::Text as usize + 1;
}

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
