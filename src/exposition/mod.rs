//! What a scrape reads: a walk over the store, written in a format.

pub(crate) mod text;
