//! What was recorded: values, series, tables, families, and the store that has them all.

pub mod cell;
pub(crate) mod diagnostics;
pub(crate) mod sanitize;
pub(crate) mod store;
pub(crate) mod text_family;
pub(crate) mod text_table;
pub(crate) mod undeclared;

pub(crate) use store::{Resolved, Store, StoreRecorder};
