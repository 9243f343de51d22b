//! Makes label values, label names, metric names and help texts fit for the exposition formats.

use std::{borrow::Cow, fmt::Write};

use metrics::Key;
use metrics_exporter_prometheus::formatting;

use crate::schema::{
    family::LabelDef,
    label_list::{is_allowed, is_clean_value, is_reserved},
    limits::LONGEST_VALUE,
    names::{is_metric_name, is_ours},
};

/// Replaces a control character, line breaks included.
const REPLACEMENT: char = '\u{fffd}';

/// A label value as it is stored: see [`is_clean_value`].
pub(crate) fn clean_value(value: &str) -> Cow<'_, str> {
    if is_clean_value(value) {
        return Cow::Borrowed(value);
    }
    let clean = |c: char| if c.is_control() { REPLACEMENT } else { c };
    Cow::Owned(value.chars().take(LONGEST_VALUE).map(clean).collect())
}

/// Doubles the backslashes before the exporter escapes the text. It takes `\\` for one backslash that is already escaped; with
/// this, every value reads back as it was.
pub(crate) fn double_backslashes(text: &str) -> Cow<'_, str> {
    if text.contains('\\') { Cow::Owned(text.replace('\\', "\\\\")) } else { Cow::Borrowed(text) }
}

/// `a="x",b="y"`: labels sorted by name, values escaped.
pub(crate) fn label_text<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Box<str> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable_by_key(|(name, _)| *name);
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(',');
        }
        let _ = write!(text, "{name}=\"{}\"", formatting::sanitize_label_value(&double_backslashes(value)));
    }
    text.into()
}

/// Reads what [`label_text`] writes. Also gives what follows the last label.
pub(crate) fn label_pairs(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let (mut pairs, mut rest) = (Vec::new(), text);
    while rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        let (name, value, after) = label_pair(rest)?;
        pairs.push((name.to_owned(), value.into_owned()));
        rest = after;
    }
    Some((pairs, rest))
}

/// The first label of what [`label_text`] writes, its value as it was, and what follows.
pub(crate) fn label_pair(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (name, quoted) = text.split_at_checked(text.bytes().position(|byte| byte == b'=')?)?;
    let quoted = quoted.strip_prefix("=\"")?;
    // In most values nothing is escaped. They are short: a loop over their bytes is faster than a search.
    let first = quoted.bytes().position(|byte| byte == b'"' || byte == b'\\')?;
    let (value, after) = match quoted.split_at_checked(first).map(|(value, after)| (value, after.strip_prefix('"'))) {
        Some((value, Some(after))) => (Cow::Borrowed(value), after),
        _ => unquoted(quoted).map(|(value, after)| (Cow::Owned(value), after))?,
    };
    Some((name, value, after.strip_prefix(',').unwrap_or(after)))
}

/// Up to the quote that ends it, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut characters) = (String::new(), text.chars());
    loop {
        value.push(match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => match characters.next()? {
                'n' => '\n',
                other => other,
            },
            other => other,
        });
    }
}

/// A metric name in which `_` replaces every character that the formats do not allow.
pub(crate) fn metric_name(name: &str) -> Cow<'_, str> {
    match name {
        "" => Cow::Borrowed("_"),
        name if is_metric_name(name) => Cow::Borrowed(name),
        name => Cow::Owned(formatting::sanitize_metric_name(name)),
    }
}

/// The labels of an undeclared series.
pub(crate) struct Labels {
    /// Valid names, each once, with clean values. Empty values are left out: to Prometheus, empty is absent.
    pub(crate) labels: Vec<(String, String)>,
    /// The names of dropped labels: not allowed, or given again later.
    pub(crate) dropped: Vec<String>,
    /// No value had to be cleaned.
    pub(crate) unchanged: bool,
}

/// The labels of a key as a family of this name keeps them, whatever their order. Only `compozy_*` families are held to the
/// list of labels; those of other libraries keep theirs. The labels of a declaration were checked by the compiler.
pub(crate) fn labels(family: &str, declared: &[LabelDef], key: &Key) -> Labels {
    let mut kept = Labels { labels: Vec::new(), dropped: Vec::new(), unchanged: true };
    let ours = is_ours(family);
    // A name given twice: the last one wins, as in the exporter.
    let mut given: Vec<(&str, &str)> = Vec::new();
    for label in key.labels() {
        match given.iter_mut().find(|(known, _)| *known == label.key()) {
            Some((name, value)) => {
                *value = label.value();
                kept.dropped.push(label_name(name));
            }
            None => given.push((label.key(), label.value())),
        }
    }
    // Valid names come first. If an invalid name becomes one of them, the valid one keeps the name.
    let mut given: Vec<_> = given.into_iter().map(|(name, value)| (label_name(name), name, value)).collect();
    given.sort_unstable_by_key(|(clean, name, _)| (clean != name, *name));
    for (mut name, written, value) in given {
        let is_taken = |name: &String| kept.labels.iter().any(|(known, _)| known == name);
        // As Prometheus does it: `exported_` until the name is free.
        while is_reserved_once_clean(written) && is_taken(&name) {
            name.insert_str(0, EXPORTED);
        }
        let is_declared = || declared.iter().any(|label| label.name == name);
        if is_taken(&name) || ours && !is_allowed(family, &name) && !is_declared() {
            kept.dropped.push(name);
            continue;
        }
        let value = clean_value(value);
        kept.unchanged &= matches!(value, Cow::Borrowed(_));
        kept.labels.push((name, value.into_owned()));
    }
    kept.labels.retain(|(_, value)| !value.is_empty());
    kept
}

/// A text as long as a label value may be.
#[cfg(feature = "_middleware")]
pub(crate) fn truncate(text: &str) -> &str {
    if text.len() <= LONGEST_VALUE {
        return text;
    }
    text.char_indices().nth(LONGEST_VALUE).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Help without control characters but line breaks.
pub(crate) fn clean_help(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() && c != '\n' { REPLACEMENT } else { c }).collect()
}

/// The prefix of a label whose name is reserved.
const EXPORTED: &str = "exported_";

fn valid_label_name(name: &str) -> String {
    if name.is_empty() { "_".to_owned() } else { formatting::sanitize_label_key(name) }
}

fn is_reserved_once_clean(name: &str) -> bool {
    is_reserved(&valid_label_name(name))
}

fn label_name(name: &str) -> String {
    let name = valid_label_name(name);
    if is_reserved(&name) { format!("{EXPORTED}{}", name.trim_start_matches('_')) } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Label;

    #[test]
    fn a_value_is_cut_at_128_characters_and_has_no_control_characters() {
        assert_eq!(clean_value("a\nb\u{0}c\u{7f}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(clean_value(&"é".repeat(129)), "é".repeat(128));
        assert!(matches!(clean_value(&"é".repeat(128)), Cow::Borrowed(_)));
        assert!(matches!(clean_value("quotes \" and \\ stay"), Cow::Borrowed(_)));
    }

    #[test]
    fn labels_are_valid_and_each_there_once() {
        let key = Key::from_parts(
            "x_total",
            vec![
                Label::new("b.c", "1"),
                Label::new("a", "x\\\\y"),
                Label::new("b_c", "2"),
                Label::new("le", "3"),
                Label::new("e", ""),
            ],
        );
        let Labels { labels, dropped, .. } = labels("x_total", &[], &key);
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        assert_eq!(labels, [pair("a", "x\\\\y"), pair("b_c", "2"), pair("exported_le", "3")]);
        assert_eq!(dropped, ["b_c"]);
        let text = label_text(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        assert_eq!(&*text, r#"a="x\\\\y",b_c="2",exported_le="3""#);
    }

    #[test]
    fn names_that_become_one_are_told_apart_or_dropped_whatever_their_order() {
        let kept = |pairs: &[(&'static str, &'static str)]| {
            let key = Key::from_parts("x", pairs.iter().map(|(k, v)| Label::new(*k, *v)).collect::<Vec<_>>());
            let Labels { labels, dropped, .. } = labels("x", &[], &key);
            let text = label_text(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            (text.into_string(), dropped.join(" "))
        };
        for (pairs, text, dropped) in [
            (vec![("le", "1"), ("exported_le", "2")], r#"exported_exported_le="1",exported_le="2""#, ""),
            (
                vec![("quantile", "1"), ("exported_quantile", "2"), ("exported_exported_quantile", "3")],
                r#"exported_exported_exported_quantile="1",exported_exported_quantile="3",exported_quantile="2""#,
                "",
            ),
            (vec![("__name__", "1"), ("__name", "2"), ("exported_name", "3")], "", ""),
            (vec![("a.b", "1"), ("a_b", "2")], r#"a_b="2""#, "a_b"),
            (vec![("a-b", "1"), ("a.b", "2"), ("c", "3")], r#"a_b="1",c="3""#, "a_b"),
            (vec![("", "1"), ("_", "2")], r#"_="2""#, "_"),
        ] {
            let first = kept(&pairs);
            if !text.is_empty() {
                assert_eq!(first, (text.to_owned(), dropped.to_owned()));
            }
            for turn in 1..pairs.len() {
                let mut turned = pairs.clone();
                turned.rotate_left(turn);
                assert_eq!(kept(&turned), first, "{turned:?}");
            }
            let mut reversed = pairs.clone();
            reversed.reverse();
            assert_eq!(kept(&reversed), first, "{reversed:?}");
        }
    }

    #[test]
    fn labels_off_the_list_are_dropped_from_names_of_ours_only() {
        let key = Key::from_parts(
            "x",
            vec![
                Label::new("user_id", "7"),
                Label::new("le", "1"),
                Label::new("path", "/"),
                Label::new("version", "1"),
            ],
        );
        let kept = |family| {
            let Labels { labels, dropped, .. } = labels(family, &[], &key);
            (labels.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" "), dropped.join(" "))
        };
        let pair = |kept: &str, dropped: &str| (kept.to_owned(), dropped.to_owned());
        assert_eq!(kept("compozy_jobs_total"), pair("path version", "user_id exported_le"));
        assert_eq!(kept("compozy_http_jobs_total"), pair("path", "user_id version exported_le"));
        assert_eq!(kept("jobs_total"), pair("path user_id version exported_le", ""));
    }

    #[test]
    fn metric_names_are_made_valid() {
        assert_eq!(metric_name("http.server-time"), "http_server_time");
        assert_eq!(metric_name("1x"), "_x");
        assert_eq!(metric_name(""), "_");
        assert!(matches!(metric_name("a:b_c1"), Cow::Borrowed(_)));
    }
}
