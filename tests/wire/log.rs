//! What this crate logs, at any level, on whatever thread; and a gate that holds up who logs a certain line.

use std::{
    io,
    sync::{Condvar, Mutex, Once},
};

static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// Lines that contain this word wait in their writer, and how many do.
static GATE: Mutex<(Option<String>, usize)> = Mutex::new((None, 0));
static CHANGED: Condvar = Condvar::new();

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.lock().expect("no panic").extend_from_slice(bytes);
        let line = String::from_utf8_lossy(bytes);
        let is_held = |gate: &Option<String>| gate.as_ref().is_some_and(|word| line.contains(word.as_str()));
        let mut gate = GATE.lock().expect("no panic");
        if is_held(&gate.0) {
            gate.1 += 1;
            CHANGED.notify_all();
            gate = CHANGED.wait_while(gate, |gate| is_held(&gate.0)).expect("no panic");
            gate.1 -= 1;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects from now on.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = tracing_subscriber::EnvFilter::new("compozy_monitoring=trace");
        let log = tracing_subscriber::fmt().with_ansi(false).with_env_filter(filter).with_writer(|| Writer).finish();
        tracing::subscriber::set_global_default(log).expect("the only one");
    });
}

pub fn text() -> String {
    String::from_utf8(TEXT.lock().expect("no panic").clone()).expect("UTF-8")
}

/// One test at a time has the gate.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Holds up who logs this word, until it is opened or dropped.
pub struct Gate {
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

impl Gate {
    pub async fn close(word: &str) -> Self {
        let turn = TURN.lock().await;
        GATE.lock().expect("no panic").0 = Some(word.to_owned());
        Self { _turn: turn }
    }

    /// Waits until somebody stands before it.
    pub async fn reached(&self) {
        for _ in 0..2_000 {
            if GATE.lock().expect("no panic").1 > 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("nobody came to the gate");
    }

    pub fn open(&self) {
        GATE.lock().expect("no panic").0 = None;
        CHANGED.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}
