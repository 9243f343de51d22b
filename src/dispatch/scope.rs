//! Scopes: a thread records into another service for a while.

use std::sync::Arc;

#[cfg(feature = "temporal")]
use super::muting::MutingRecorder;
use super::{
    instance::Instance,
    switch,
    target::{Scope, replace_scope, restore_scope},
};

/// The scope of a service on this thread, until this is dropped. It also sets the local recorder of `metrics`, so that libraries
/// which use its macros record into the same service.
pub(crate) struct Entered<'a> {
    /// The scope before it; nothing on a thread that is being torn down.
    before: Option<Scope>,
    _recorder: metrics::LocalRecorderGuard<'a>,
}

/// Enters the scope of a service; one that never was on has no instance.
pub(crate) fn enter(instance: Option<&Arc<Instance>>) -> Entered<'_> {
    switch::allow_scopes();
    let before = replace_scope(instance.map_or(Scope::Off, |instance| Scope::Of(instance.clone())));
    let local: &dyn metrics::Recorder = match instance {
        // A muted thread stays muted in a scope; this recorder asks the scope at each look-up.
        #[cfg(feature = "temporal")]
        _ if switch::is_muted() => &MutingRecorder,
        Some(instance) if instance.is_on() => instance.recorder(),
        _ => &metrics::NoopRecorder,
    };
    Entered { before, _recorder: metrics::set_default_local_recorder(local) }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        restore_scope(self.before.take());
    }
}
