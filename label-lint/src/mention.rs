//! Tells by the text of a file whether it has something to check. Most files have not, and are not parsed as a whole.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    items::{MACROS, OTHER_ITEMS, TYPES},
    manifest::{Extern, METRICS, Package},
};

/// Methods and macros that attach labels, beside [`TYPES`] and [`OTHER_ITEMS`].
const OTHER_WORDS: &[&str] = &["into_labels", "with_extra_labels", "add_global_label", "const_label"];

/// What a text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// A call of one of [`MACROS`], or a comment to this linter.
    pub is_certain: bool,
    /// A word that may lead to a label, if its package has to do with one that records metrics.
    pub is_possible: bool,
}

impl Mentions {
    pub fn of(text: &str) -> Self {
        let mut has_word = text.contains("\" =>");
        let mut has_package = false;
        let mut has_call = text.contains("label-lint:");
        for (word, rest) in identifiers(text) {
            if MACROS.contains(&word) {
                has_word = true;
                has_call |= rest.trim_start().starts_with('!') || rest.starts_with(" as ");
            }
            has_package |= word == METRICS;
            has_word |= TYPES.contains(&word)
                || OTHER_ITEMS.contains(&word)
                || OTHER_WORDS.contains(&word)
                || word.starts_with("register_")
                || word.ends_with("Vec") && word != "Vec";
        }
        Self { is_certain: has_call || has_package && has_word, is_possible: has_word }
    }
}

/// Whether a text has one of these words.
pub fn has_any(text: &str, words: &HashSet<String>) -> bool {
    identifiers(text).any(|(word, _)| words.contains(word))
}

/// The identifiers and numbers of a text, comments and strings included, each with what is behind it.
fn identifiers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80;
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.bytes().position(is_part)?;
        let found = &rest[start..];
        let end = found.bytes().position(|byte| !is_part(byte)).unwrap_or(found.len());
        rest = &found[end..];
        Some((&found[..end], rest))
    })
}

/// The packages that may record metrics, by directory: they depend on a package that is known, or on one of the tree that does.
#[derive(Debug, Default)]
pub struct Reach(HashSet<PathBuf>);

impl Reach {
    pub fn of<'a>(packages: impl Iterator<Item = &'a Arc<Package>>) -> Self {
        let all: HashMap<&Path, &Arc<Package>> = packages.map(|one| (one.directory.as_path(), one)).collect();
        let mut users: HashMap<&str, Vec<&Path>> = HashMap::new();
        let mut waiting = Vec::new();
        for (directory, package) in &all {
            let is_known = |one: &Extern| !matches!(one, Extern::Package(..));
            if is_known(&Extern::of(&package.name)) || package.externs.values().any(is_known) {
                waiting.push(*directory);
            }
            for named in package.externs.values() {
                if let Extern::Package(name, _) = named {
                    users.entry(name).or_default().push(directory);
                }
            }
        }
        let mut reached = HashSet::new();
        while let Some(directory) = waiting.pop() {
            if reached.insert(directory.to_owned())
                && let Some(package) = all.get(directory)
            {
                waiting.extend(users.get(package.name.as_str()).into_iter().flatten());
            }
        }
        Self(reached)
    }

    /// A file without a package may name any.
    pub fn has(&self, package: Option<&Arc<Package>>) -> bool {
        package.is_none_or(|package| self.0.contains(&package.directory))
    }

    pub fn add(&mut self, package: &Package) {
        self.0.insert(package.directory.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_certain_and_a_word_is_possible() {
        let found = |text: &str| {
            let found = Mentions::of(text);
            (found.is_certain, found.is_possible)
        };
        assert_eq!(found("fn f() { x::counter ! (\"a\") }"), (true, true));
        assert_eq!(found("use x::{counter as c};"), (true, true));
        assert_eq!(found("let counter = 1; if counter < 2 {}"), (false, true));
        assert_eq!(found("use metrics as m; fn f(l: m::Label) {}"), (true, true));
        assert_eq!(found("struct Key; struct Vec; const COUNTER_TOTAL: u8 = 1;"), (false, true));
        assert_eq!(found("struct Keys; struct Vec; let counters = 1;"), (false, false));
        assert_eq!(found("m! { \"a\" => 1 }"), (false, true));
        assert!(has_any("a.b", &HashSet::from(["b".to_owned()])) && !has_any("ab", &HashSet::from(["b".to_owned()])));
    }
}
