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

/// What the command says about a tree, in every format by name: the whole linter in one call, for `fuzz/`.
#[doc(hidden)]
pub fn everything(root: &std::path::Path) -> Result<Vec<(&'static str, String)>, String> {
    let outcome =
        lint::run(&[root.to_owned()], source::DEFAULT_MAX_BYTES, &|_, _| {}).map_err(|error| match error {
            lint::Error::Tree(error) => error.to_string(),
            lint::Error::Io(error) => error.to_string(),
        })?;
    let formats = report::Format::ALL.iter();
    Ok(formats.map(|(name, format)| (*name, format.render(&outcome.findings, true))).collect())
}
