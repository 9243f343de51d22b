//! Storage, guard and exposition: everything that exists only with the feature `prometheus`.

pub mod cell;
mod exposition;
pub(crate) mod guard;
mod health;
pub(crate) mod open;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod text;

pub(crate) use store::{Resolved, Store, StoreRecorder};
