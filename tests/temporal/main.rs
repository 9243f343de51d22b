//! The ledger: what our counters say, against what a real Temporal server says of the same runs.
//!
//! Each scenario has a task queue and a service of its own; all of them run at once, on one dev server.

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod play;
mod scenarios;
mod server;
mod stage;
