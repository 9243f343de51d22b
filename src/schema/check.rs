//! What the macros assert while they compile, and what they say when it does not hold.
//!
//! The macros call these functions in constants, so nothing of them is left in a binary. Each is `track_caller`, so that the compiler
//! points at the user's code; `__at!` chooses the word.

use super::{
    family::LabelDef,
    label_list::{GIVEN, is_clean_value},
    labels::{self, BoundsFault, Category, Kind, NameFault},
    message::{Message, fail},
    repeated::repeated,
    text::{holds, same},
};

/// How many series a family of closed sets may have: as many as a family with free text by default.
const MOST_SERIES: usize = super::limits::SERIES_CAP;
/// How many labels a family can have: as many as `Family::with` takes.
const MOST_LABELS: usize = 6;

/// Checks a call site with a literal name, and those of its labels that are literal.
///
/// # Panics
/// At compile time: a name or a label that breaks a rule.
#[track_caller]
pub const fn check_site(kind: Kind, name: &str, labels: &[&str]) {
    if name.is_empty() {
        fail(Message::new("the name of a ").and(kind.as_str()).and(" is empty"));
    }
    check_name(kind, name, false);
    check_labels(name, labels);
}

/// Checks the literal labels of a call site; the name is empty when it is computed.
///
/// # Panics
/// At compile time: a label that breaks a rule.
#[track_caller]
pub const fn check_labels(name: &str, labels: &[&str]) {
    let all = Labels { family: name, names: labels, sets: &[] };
    let mut i = 0;
    while i < labels.len() {
        check_label(all, i);
        i += 1;
    }
}

/// The statics of the first two families in a `families!` with the same name: the second, and the first. Empty if there are none.
#[must_use]
pub const fn declared_again<'a>(families: &[&str], statics: &[&'a str]) -> (&'a str, &'a str) {
    if let Some(again) = repeated(families)
        && again < statics.len()
    {
        let mut first = 0;
        while !same(families[first], families[again]) {
            first += 1;
        }
        return (statics[again], statics[first]);
    }
    ("", "")
}

/// Checks that a static is not the second that [`declared_again`] found.
///
/// # Panics
/// At compile time: it is.
#[track_caller]
pub const fn check_declared_once((again, first): (&str, &str), name: &str, family: &str) {
    if same(again, name) {
        fail(Message::new("the family").quote(family).and(" is declared twice: first by").quote(first));
    }
}

/// Checks a declared family, without the rules for each label: see [`check_family_label`].
///
/// # Panics
/// At compile time: a name that breaks a rule, too many labels, too many series.
#[track_caller]
pub const fn check_family(kind: Kind, name: &str, all: &[LabelDef], has_buckets: bool) {
    check_name(kind, name, has_buckets);
    if !labels::is_metric_name(name) {
        fail(
            Message::new("the family")
                .quote(name)
                .and(" cannot be exposed: its name has letters, digits, `_` and `:`, and no digit first"),
        );
    }
    if matches!(kind, Kind::Histogram) && !has_buckets && labels::bounds_of_unit(name).is_none() {
        fail(Message::new("the histogram").quote(name).and(": ").and(NameFault::HistogramWithoutUnit.rule()));
    }
    if all.len() > MOST_LABELS {
        fail(Message::new("the family").quote(name).and(" has more than six labels"));
    }
    let mut series = 1_usize;
    let mut i = 0;
    while i < all.len() {
        if let Some(values) = all[i].values {
            series = series.saturating_mul(values.len());
        }
        i += 1;
    }
    if series > MOST_SERIES {
        fail(
            Message::new("the closed sets of")
                .quote(name)
                .and(" have more than 2000 combinations, and each would be a series"),
        );
    }
}

/// Checks the bounds that a declaration gives; `texts` is how they are written.
///
/// # Panics
/// At compile time: bounds that break a rule, or where there can be none.
#[track_caller]
pub const fn check_buckets(kind: Kind, name: &str, bounds: &[f64], texts: &[&str]) {
    if !matches!(kind, Kind::Histogram) {
        fail(Message::new("the ").and(kind.as_str()).quote(name).and(" has no buckets: only a histogram has"));
    }
    if !Category::of(name).is_extensible() {
        fail(
            Message::new("the histogram")
                .quote(name)
                .and(" has the bounds of its unit, because compozy-monitoring defines")
                .quote(Category::of(name).pattern()),
        );
    }
    let Some(fault) = labels::bounds_fault(bounds) else { return };
    let message = Message::new("the buckets of").quote(name).and(": ");
    match fault {
        BoundsFault::Empty | BoundsFault::TooMany => fail(message.and(fault.as_str())),
        BoundsFault::NotFinite(at) => fail(message.and("the bound").quote(texts[at]).and(" ").and(fault.as_str())),
        BoundsFault::NotRising(at) => {
            let message = message.and("the bound").quote(texts[at]).and(" ").and(fault.as_str());
            fail(message.and(",").quote(texts[at - 1]));
        }
    }
}

/// Checks the help text of a declared family.
///
/// # Panics
/// At compile time: nothing in it.
#[track_caller]
pub const fn check_help(name: &str, help: &str) {
    if help.trim_ascii().is_empty() {
        fail(Message::new("the doc comment of").quote(name).and(" is blank, and it is the help text of the family"));
    }
}

/// Checks one label of a declared family. `end` is the place behind the last label: a label that could not be read moves it, and is
/// reported already. Then the others are checked once it can be read.
///
/// # Panics
/// At compile time: a label or a closed set that breaks a rule.
#[track_caller]
pub const fn check_family_label(name: &str, all: &[LabelDef], index: usize, [end]: [usize; 1]) {
    if end != all.len() {
        return;
    }
    // Room for one more than are allowed: `check_family` reports it.
    let (mut names, mut sets) = ([""; MOST_LABELS + 1], [false; MOST_LABELS + 1]);
    let mut i = 0;
    while i < all.len() && i < names.len() {
        (names[i], sets[i]) = (all[i].name, all[i].values.is_some());
        i += 1;
    }
    if index < i {
        check_label(Labels { family: name, names: names.split_at(i).0, sets: &sets }, index);
        if let Some(values) = all[index].values {
            check_set(name, all[index].name, values);
        }
    }
}

#[track_caller]
const fn check_name(kind: Kind, name: &str, has_buckets: bool) {
    if let Some(fault) = labels::declared_name_fault(name, kind, has_buckets) {
        fail(Message::new("the ").and(kind.as_str()).quote(name).and(": ").and(fault.rule()));
    }
}

/// The labels of a family, by place.
#[derive(Clone, Copy)]
struct Labels<'a> {
    family: &'a str,
    names: &'a [&'a str],
    /// Whether the label at a place is a closed set; at a call site none is.
    sets: &'a [bool],
}

impl Labels<'_> {
    const fn is_set(self, index: usize) -> bool {
        index < self.sets.len() && self.sets[index]
    }

    const fn is_allowed(self, index: usize) -> bool {
        if self.is_set(index) {
            labels::is_allowed_set(self.family, self.names[index])
        } else {
            labels::is_allowed(self.family, self.names[index])
        }
    }

    /// Whether the label at this place is a good name that no list has; of two alike, only the first.
    const fn is_off_the_list(self, index: usize) -> bool {
        let label = self.names[index];
        labels::is_plain_label(label)
            && !labels::is_reserved(label)
            && !labels::is_personal(label)
            && !self.is_allowed(index)
            && !holds(self.names.split_at(index).0, label)
    }
}

/// Checks one label, with those beside it.
#[track_caller]
const fn check_label(all: Labels<'_>, index: usize) {
    let (name, label) = (all.family, all.names[index]);
    if labels::is_reserved(label) {
        fail(label_of(label, name).and(" is reserved: `le`, `quantile` and `__*` belong to Prometheus"));
    }
    if holds(all.names.split_at(index).0, label) {
        fail(label_of(label, name).and(" is there twice"));
    }
    if all.is_allowed(index) {
        return;
    }
    if !labels::is_plain_label(label) {
        fail(label_of(label, name).and(" is no label: it has lower-case letters, digits and `_`, and no digit first"));
    }
    if labels::is_personal(label) {
        fail(label_of(label, name).and(
            " speaks of a person or of one request: no metric has it, whatever its type, and no list can allow it",
        ));
    }
    // One message, at the first of them, names all.
    let mut i = 0;
    while i < index {
        if all.is_off_the_list(i) {
            return;
        }
        i += 1;
    }
    fail(not_allowed(all));
}

/// The message about all labels that are not on the list.
const fn not_allowed(all: Labels<'_>) -> Message {
    let name = all.family;
    let mut named = Message::new("");
    let mut missing = Message::new("");
    let mut first = "";
    let mut count = 0;
    let mut i = 0;
    while i < all.names.len() {
        if all.is_off_the_list(i) {
            if count == 0 {
                first = all.names[i];
            }
            named = named.and(if count > 0 { "," } else { "" }).quote(all.names[i]);
            missing = missing.and(if count > 0 { "," } else { "" }).and(all.names[i]);
            count += 1;
        }
        i += 1;
    }
    let message = Message::new(if count > 1 { "the labels" } else { "the label" }).and(named.as_str()).and(" of");
    let message = if name.is_empty() { message.and(" a metric with a computed name") } else { message.quote(name) };
    let message = message.and(if count > 1 { " are" } else { " is" }).and(" not allowed");

    let category = Category::of(name);
    if !category.is_extensible() {
        return message
            .and("\nallowed: ")
            .and_list(category.core())
            .and("; no other, because compozy-monitoring defines")
            .quote(category.pattern())
            .and("\na family of your own takes another name");
    }
    // The way that needs no list stands first.
    let message = message
        .and("\nif the values are known, declare them in `families!`: `")
        .and(first)
        .and(": Queue { Mail = \"mail\", Sms = \"sms\" }`\nfree text is allowed for ")
        .and_list(category.core());
    let (message, own) = match GIVEN {
        None => (
            message.and(
                "\nfor free text no list was given to this build: COMPOZY_METRIC_LABELS is not set\n\
                 if .cargo/config.toml of the workspace has one: Cargo reads that file from the folder in which it is \
                 called, and from those above it",
            ),
            "",
        ),
        Some(list) => {
            let list = list.trim_ascii();
            let message = if list.is_empty() {
                message.and("\nthe list for free text, COMPOZY_METRIC_LABELS, is empty")
            } else {
                let lacks = if count > 1 { ", lacks them: " } else { ", lacks it: " };
                message.and("\nthe list for free text, COMPOZY_METRIC_LABELS").and(lacks).and(list)
            };
            (message, list)
        }
    };
    message
        .and("\na label with few values and nothing personal can be added in .cargo/config.toml of the workspace:\n")
        .and("[env]\nCOMPOZY_METRIC_LABELS = { value = \"")
        .and(own)
        .and(if own.is_empty() { "" } else { "," })
        .and(missing.as_str())
        .and("\", force = true }")
}

#[track_caller]
const fn check_set(name: &str, label: &str, values: &[&str]) {
    if values.is_empty() {
        fail(label_of(label, name).and(" has a closed set without values"));
    }
    if let Some(again) = repeated(values) {
        fail(label_of(label, name).and(" has a closed set with").quote(values[again]).and(" in it twice"));
    }
    let mut i = 0;
    while i < values.len() {
        if values[i].is_empty() || !is_clean_value(values[i]) {
            fail(
                label_of(label, name)
                    .and(" has a closed set with")
                    .quote(values[i])
                    .and(" in it: a value has 1 to 128 characters, none of them a control character"),
            );
        }
        i += 1;
    }
}

/// The list of the application's own labels is checked when this crate is built.
const _: () = check_application(labels::APPLICATION);

#[track_caller]
const fn check_application(list: &str) {
    if let Err(bad) = labels::check_extension(list) {
        fail(
            Message::new(labels::EXTENSION_VARIABLE)
                .and(" (.cargo/config.toml):")
                .quote(bad.entry)
                .and(" ")
                .and(bad.fault.as_str())
                .and("\naccepted: ")
                .and(labels::ACCEPTED_EXTENSION),
        );
    }
}

const fn label_of(label: &str, name: &str) -> Message {
    let message = Message::new("the label").quote(label).and(" of");
    if name.is_empty() { message.and(" a metric with a computed name") } else { message.quote(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many values as a family may have series, as long as values like to be.
    static LARGE: [&str; MOST_SERIES] = {
        const WIDTH: usize = 24;
        static TEXT: [u8; WIDTH * MOST_SERIES] = {
            let mut text = [b'v'; WIDTH * MOST_SERIES];
            let mut i = 0;
            while i < MOST_SERIES {
                let (mut at, mut rest) = (WIDTH * (i + 1), i);
                while rest > 0 {
                    at -= 1;
                    text[at] = b'0' + (rest % 10) as u8;
                    rest /= 10;
                }
                i += 1;
            }
            text
        };
        let mut all = [""; MOST_SERIES];
        let mut left: &[u8] = &TEXT;
        let mut i = 0;
        while i < MOST_SERIES {
            let (one, rest) = left.split_at(WIDTH);
            all[i] = match core::str::from_utf8(one) {
                Ok(text) => text,
                Err(_) => "",
            };
            left = rest;
            i += 1;
        }
        all
    };

    #[test]
    fn the_largest_closed_set_is_checked_within_what_the_compiler_allows() {
        const CHECKED: () = check_set("compozy_tasks_total", "queue", &LARGE);
        let () = CHECKED;
        assert_eq!(repeated(&LARGE), None);
        let mut all = LARGE;
        all[MOST_SERIES - 1] = all[0];
        assert_eq!(repeated(&all), Some(MOST_SERIES - 1));
    }

    #[test]
    fn a_value_of_a_set_may_be_as_long_as_any_other_value() {
        check_set("compozy_tasks_total", "queue", &[&"é".repeat(128)]);
    }

    #[test]
    #[should_panic(expected = "a value has 1 to 128 characters, none of them a control character")]
    fn a_value_of_a_set_has_no_control_character_beyond_ascii_either() {
        check_set("compozy_tasks_total", "queue", &["o\u{85}ne"]);
    }

    #[test]
    #[should_panic(expected = "a value has 1 to 128 characters, none of them a control character")]
    fn a_value_of_a_set_is_no_longer_than_any_other_value() {
        check_set("compozy_tasks_total", "queue", &[&"é".repeat(129)]);
    }

    #[test]
    fn the_message_names_the_label_the_family_what_is_allowed_and_where_to_add_one() {
        let of = |family, names| not_allowed(Labels { family, names, sets: &[] });
        let message = of("compozy_tasks_total", &["path", "region", "user_id", "plan"]);
        for part in [
            "the labels `region`, `plan` of `compozy_tasks_total` are not allowed",
            "workflow_type, version",
            "declare them in `families!`: `region: Queue {",
            "free text is allowed for method, path",
            "COMPOZY_METRIC_LABELS, lacks them: ",
            "region,plan\", force = true }",
        ] {
            assert!(message.as_str().contains(part), "{part} in {}", message.as_str());
        }
        let message = of("compozy_http_requests_total", &["queue"]);
        assert!(message.as_str().contains("allowed: method, path, status_code; no other"));
    }
}
