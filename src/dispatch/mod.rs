//! On or off, and for whom.
//!
//! A record asks the [`switch`], one byte. If it says that a scope was used at some time, a thread-local says which
//! [`instance`] this thread records into ([`target`]): the scope's, else the process's one, else none. While workflow code
//! replays, its thread is [muted](muting).

pub(crate) mod instance;
#[cfg(feature = "temporal")]
pub(crate) mod muting;
pub(crate) mod scope;
pub(crate) mod switch;
pub(crate) mod target;
