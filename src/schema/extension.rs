//! The application's own labels: a list that is part of the build.

use core::fmt;

use super::{
    label_list::{CORE, EXTENSION_VARIABLE, is_personal, is_plain_label, is_reserved},
    text::{holds, lists, next_entry},
};

/// What is wrong with an entry of a list of the application's own labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// Nothing between two commas, before the first or after the last.
    Empty,
    /// Not made of lower-case letters, digits and `_`, or with a digit first.
    Malformed,
    /// `le`, `quantile` or `__*`.
    Reserved,
    /// On the core list already.
    Core,
    /// There twice.
    Duplicate,
    /// Speaks of a person or of one request.
    Personal,
}

impl EntryFault {
    /// The fault in a few words, to follow the entry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::Malformed => "is no label name",
            Self::Reserved => "is a reserved label",
            Self::Core => "is on the core list already",
            Self::Duplicate => "is there twice",
            Self::Personal => "speaks of a person or of one request",
        }
    }
}

/// What a list of the application's own labels may look like.
pub const ACCEPTED_EXTENSION: &str = "label names separated by commas, each once, of lower-case letters, digits and \
                                      `_`, no digit first, none of them reserved (`le`, `quantile`, `__*`), personal \
                                      (such as user_id, email, request_id) or core \
                                      (method, path, status_code, workflow_type, version, commit_hash, rust_version)";

/// An entry that cannot be in a list of the application's own labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEntry<'a> {
    /// The entry, without the white space around it.
    pub entry: &'a str,
    /// What is wrong with it.
    pub fault: EntryFault,
}

impl fmt::Display for BadEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{EXTENSION_VARIABLE}: `{}` {}; accepted: {ACCEPTED_EXTENSION}", self.entry, self.fault.as_str())
    }
}

impl core::error::Error for BadEntry<'_> {}

/// Checks a list of the application's own labels. An empty list is sound.
///
/// ```
/// use compozy_monitoring::labels::check_extension;
///
/// assert!(check_extension("task_type, queue").is_ok());
/// assert!(check_extension("task_type,path").unwrap_err().to_string().contains("`path` is on the core list already"));
/// ```
///
/// # Errors
/// The first entry that cannot be there.
pub const fn check_extension(list: &str) -> Result<(), BadEntry<'_>> {
    let mut seen = 0;
    let mut rest = if list.trim_ascii().is_empty() { None } else { Some(list) };
    while let Some(left) = rest {
        let (entry, next) = next_entry(left);
        if let Some(fault) = entry_fault(entry, list.split_at(seen).0) {
            return Err(BadEntry { entry, fault });
        }
        if let Some(next) = next {
            seen = list.len() - next.len();
        }
        rest = next;
    }
    Ok(())
}

/// The entries of a list of the application's own labels.
pub fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim_ascii).filter(|entry| !entry.is_empty())
}

const fn entry_fault(entry: &str, before: &str) -> Option<EntryFault> {
    if entry.is_empty() {
        Some(EntryFault::Empty)
    } else if is_reserved(entry) {
        Some(EntryFault::Reserved)
    } else if !is_plain_label(entry) {
        Some(EntryFault::Malformed)
    } else if holds(CORE, entry) {
        Some(EntryFault::Core)
    } else if is_personal(entry) {
        Some(EntryFault::Personal)
    } else if lists(before, entry) {
        Some(EntryFault::Duplicate)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_names_separated_by_commas() {
        for sound in ["", " ", "queue", "task_type,queue", " task_type , queue ", "_a1,a"] {
            assert_eq!(check_extension(sound), Ok(()), "{sound:?}");
        }
        let bad = |list| check_extension(list).map_err(|bad| (bad.entry, bad.fault));
        for (list, entry, fault) in [
            (",", "", EntryFault::Empty),
            ("queue,", "", EntryFault::Empty),
            ("queue, ,kind", "", EntryFault::Empty),
            ("queue;kind", "queue;kind", EntryFault::Malformed),
            ("queue, task-type", "task-type", EntryFault::Malformed),
            ("Queue", "Queue", EntryFault::Malformed),
            ("1st", "1st", EntryFault::Malformed),
            ("größe", "größe", EntryFault::Malformed),
            ("queue,le", "le", EntryFault::Reserved),
            ("quantile", "quantile", EntryFault::Reserved),
            ("__name__", "__name__", EntryFault::Reserved),
            ("queue,path", "path", EntryFault::Core),
            ("queue,user_id", "user_id", EntryFault::Personal),
            ("queue,kind, queue", "queue", EntryFault::Duplicate),
        ] {
            assert_eq!(bad(list), Err((entry, fault)), "{list:?}");
        }
        assert_eq!(entries(" a, b").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(entries("").count(), 0);
    }
}
