//! The tests of the promises, a module each, in one binary: they share the time of one build and one link.
//!
//! A test that looks at what the whole process has (its global recorder, its memory, its log) begins with `own_process!()`.
//! Tests that share something larger are binaries of their own: `tests/wire` has one log for all, `tests/temporal` one server,
//! `tests/allocator` an allocator that records.

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

// Each of these says by itself which features it needs.
mod authorization;
mod auto_traits;
mod cap;
mod constant_labels;
mod contained;
mod contract;
mod early;
mod exposition;
mod formats;
mod guard;
mod guards;
mod http;
mod http_tower;
mod life;
mod lives;
mod logs;
mod observe;
mod once;
mod price_disabled;
mod price_enabled;
mod process;
mod programs;
mod removal;
mod same_module;
mod scopes;
mod serve;
mod start_disabled;
mod start_enabled;
mod start_foreign_recorder;
mod tokio_runtime;
mod view;

/// The real Temporal server.
#[cfg(all(feature = "http-poem", feature = "prometheus", feature = "temporal"))]
#[path = "../temporal/server.rs"]
mod server;
#[cfg(all(feature = "prometheus", feature = "temporal"))]
mod temporal_meter;
