//! What is logged. Also a module of the unit tests (`src/support/failpoint.rs`).

use std::{
    io,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use tracing::{Dispatch, subscriber::NoSubscriber};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log lines of a closure, without colours.
pub(crate) fn log_of(run: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    seen_by(tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish(), run);
    String::from_utf8_lossy(&lines.lock()).into_owned()
}

/// Runs with a subscriber that sees every line, on this thread.
///
/// `tracing` remembers for each log line whether a subscriber wants it. While the process has only one subscriber, it asks the thread
/// that comes to the line first. That may be the thread of another test, which has no subscriber. So there are always two.
pub(crate) fn seen_by(subscriber: impl tracing::Subscriber + Send + Sync + 'static, run: impl FnOnce()) {
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));
    LazyLock::force(&SECOND);
    tracing::subscriber::with_default(subscriber, run);
}
