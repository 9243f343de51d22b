//! What was recorded: values, series, tables, families, and the store that has them all.

pub(crate) mod anchor;
pub mod bridge;
pub mod cell;
pub(crate) mod collector;
pub mod counter;
pub mod declared;
pub(crate) mod dense;
pub(crate) mod diagnostics;
pub mod gauge;
pub mod histogram;
pub(crate) mod native;
pub(crate) mod observations;
pub mod owner;
pub(crate) mod recorder;
pub(crate) mod resolved;
mod samples;
pub(crate) mod sanitize;
pub mod series;
mod sorted;
pub mod store;
pub mod summary;
pub(crate) mod text_family;
#[cfg(feature = "_middleware")]
pub(crate) mod text_map;
pub(crate) mod text_table;
pub mod undeclared;
