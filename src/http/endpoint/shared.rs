//! One render for all scrapes that arrive before it starts.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tokio::{runtime::Handle, sync::OnceCell, task::spawn_blocking};

use crate::{recorder::Store, state};

/// What scrapes share.
#[derive(Debug, Default)]
pub(super) struct SharedRender {
    /// The render that has not started yet: whoever arrives now joins it.
    waiting: Mutex<Option<Arc<Slot>>>,
    /// Held while one runs, so that no more than one core is busy with it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Slot(OnceCell<Option<Arc<Rendered>>>);

/// The text, and its compressed form once somebody asked for it.
#[derive(Debug)]
pub(super) struct Rendered {
    text: Bytes,
    gzip: OnceCell<Option<Bytes>>,
}

impl SharedRender {
    /// A render that starts after this call; `None` if it failed, which is logged.
    ///
    /// Cancel-safe: when the scrape that drives a render is dropped, another one that waits takes over.
    pub(super) async fn render(&self, store: &Arc<Store>) -> Option<Arc<Rendered>> {
        let slot = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().clone();
        let rendered = slot.0.get_or_init(async || {
            // The turn goes with the work: a scrape that is given up leaves its render running.
            let turn = self.turn.clone().lock_owned().await;
            self.start(&slot);
            let store = store.clone();
            let render = move || {
                let text = state::guarded("render", &store, || store.render());
                drop(turn);
                text
            };
            let text = off_the_runtime(render).await.flatten()?;
            Some(Arc::new(Rendered { text: text.into(), gzip: OnceCell::new() }))
        });
        rendered.await.clone()
    }

    /// Closes a slot: from here on, scrapes that arrive get the next one.
    fn start(&self, slot: &Arc<Slot>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.as_ref().is_some_and(|waiting| Arc::ptr_eq(waiting, slot)) {
            *waiting = None;
        }
    }
}

impl Rendered {
    pub(super) fn text(&self) -> Bytes {
        self.text.clone()
    }

    /// Compressed once for all scrapes that share the render.
    pub(super) async fn gzip(&self) -> Option<Bytes> {
        let text = self.text.clone();
        let zip = move || {
            let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
            encoder.write_all(&text).and_then(|()| encoder.finish()).ok().map(Bytes::from)
        };
        self.gzip.get_or_init(async || off_the_runtime(zip).await.flatten()).await.clone()
    }
}

/// Runs on the blocking pool, or here where no Tokio is.
async fn off_the_runtime<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    if Handle::try_current().is_ok() { spawn_blocking(run).await.ok() } else { Some(run()) }
}
