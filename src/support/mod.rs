//! What has nothing to do with metrics: synchronisation, caught panics, fail points of tests.

pub(crate) mod atomic_f64;
pub(crate) mod failpoint;
#[cfg(feature = "view")]
pub(crate) mod html;
pub(crate) mod on_demand;
pub(crate) mod panics;
pub(crate) mod reentrancy;
pub(crate) mod striped;
pub(crate) mod sync;
