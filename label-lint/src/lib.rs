//! `label-lint`: finds metric labels and family names that the label list of `compozy-monitoring` does not allow.
//!
//! The binaries are all there is to use; see the README of this package.

mod adopt;
mod allow;
mod check;
mod cli;
mod eval;
mod expand;
mod families;
mod finding;
mod items;
mod lint;
mod lock;
mod manifest;
mod mention;
mod names;
mod outline;
mod pieces;
mod pool;
mod read;
mod report;
mod resolve;
mod rules;
mod scope;
mod settings;
mod skip;
mod smell;
mod source;
mod tokens;
mod tree;
mod value;

pub use cli::main;

/// What the command says about a tree, in every format by name: the whole linter in one call, for `fuzz/`.
#[doc(hidden)]
pub fn everything(root: &std::path::Path) -> Result<Vec<(&'static str, String)>, String> {
    let request = lint::Request::new(vec![root.to_owned()]);
    let outcome = lint::run(&request, &|_, _| {}).map_err(|error| error.to_string())?;
    let formats = report::Format::ALL.iter();
    Ok(formats.map(|(name, format)| (*name, format.render(&outcome.findings, true))).collect())
}
