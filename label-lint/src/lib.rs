//! `label-lint`: finds metric labels and family names that the label list of `compozy-monitoring` does not allow.
//!
//! The binaries are all there is to use; see the README of this package.

mod allow;
mod check;
mod cli;
mod families;
mod finding;
mod lint;
mod lock;
mod names;
mod pool;
mod report;
mod rules;
mod settings;
mod smell;
mod source;
mod tokens;
mod tree;
mod value;

pub use cli::main;
