//! One function a target: a panic in it is a finding. The engine calls it (`src/bin/fuzz.rs`), and so does the test that
//! replays the committed corpus (`tests/corpus.rs`).

use std::{
    path::PathBuf,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

mod configuration;
mod exposition;
mod formats;
mod linter;
pub mod model;
mod negotiation;
mod project_file;
pub mod protobuf;
mod sanitising;
pub mod scrape;
pub mod text;

pub use configuration::configuration;
pub use exposition::{expose, exposition};
pub use formats::formats;
pub use linter::linter;
pub use negotiation::negotiation;
pub use project_file::project_file;
pub use sanitising::sanitising;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name: that of their folder in `corpus/`.
pub const TARGETS: [(&str, Target); 7] = [
    ("configuration", configuration),
    ("project-file", project_file),
    ("sanitising", sanitising),
    ("exposition", exposition),
    ("formats", formats),
    ("linter", linter),
    ("negotiation", negotiation),
];

/// A name below the folder for temporary files that no other thread or process has.
fn scratch() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    static BASE: LazyLock<PathBuf> =
        LazyLock::new(|| std::env::temp_dir().join(format!("compozy-fuzz-{}", std::process::id())));
    thread_local! {
        static MINE: PathBuf = BASE.with_extension(NEXT.fetch_add(1, Relaxed).to_string());
    }
    MINE.with(Clone::clone)
}

/// A message that a person reads in a log: one line, not endless, and it says what it is about.
fn assert_readable(message: &str, about: &str) {
    assert!(message.contains(about), "{message:?} does not name {about:?}");
    assert!(!message.chars().any(char::is_control), "{message:?} has control characters");
    assert!(message.chars().count() < 1_500, "{message:?} is endless");
}
