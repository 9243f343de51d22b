//! Comparing and splitting texts, in constant functions.

pub(crate) const fn begins(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    let mut i = 0;
    while i < start.len() {
        if i >= text.len() || text[i] != start[i] {
            return false;
        }
        i += 1;
    }
    true
}

pub(crate) const fn ends(text: &str, end: &str) -> bool {
    let (text, end) = (text.as_bytes(), end.as_bytes());
    if text.len() < end.len() {
        return false;
    }
    let mut i = 0;
    while i < end.len() {
        if text[text.len() - end.len() + i] != end[i] {
            return false;
        }
        i += 1;
    }
    true
}

pub(crate) const fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && begins(a, b)
}

pub(super) const fn holds(all: &[&str], one: &str) -> bool {
    let mut i = 0;
    while i < all.len() {
        if same(all[i], one) {
            return true;
        }
        i += 1;
    }
    false
}

pub(super) const fn is_word(text: &str, colons: bool) -> bool {
    let text = text.as_bytes();
    let mut i = 0;
    while i < text.len() {
        let b = text[i];
        let fits = b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit()) || (colons && b == b':');
        if !fits {
            return false;
        }
        i += 1;
    }
    !text.is_empty()
}

pub(super) const fn is_lower_words(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'_' && (i + 1 == bytes.len() || bytes[i + 1] == b'_') {
            return false;
        }
        i += 1;
    }
    is_word(text, false) && !has_upper(text)
}

pub(super) const fn has_upper(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i].is_ascii_uppercase() {
            return true;
        }
        i += 1;
    }
    false
}

/// The first entry of a list, and what comes after its comma.
pub(super) const fn next_entry(list: &str) -> (&str, Option<&str>) {
    let bytes = list.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b',' {
            let (entry, rest) = list.split_at(i);
            return (entry.trim_ascii(), Some(rest.split_at(1).1));
        }
        i += 1;
    }
    (list.trim_ascii(), None)
}

/// Whether a list of entries between commas has this one.
pub(super) const fn lists(list: &str, label: &str) -> bool {
    let mut rest = Some(list);
    while let Some(left) = rest {
        let (entry, next) = next_entry(left);
        if same(entry, label) {
            return true;
        }
        rest = next;
    }
    false
}
