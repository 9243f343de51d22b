//! What has nothing to do with metrics: synchronisation, caught panics, fail points of tests.

pub(crate) mod failpoint;
pub(crate) mod sync;
