//! The one list of labels that a metric may carry, and the rules for its name.
//!
//! The macros check literals against it while they compile, the recorder checks what reaches it while the process
//! runs, and `label-lint` reads it too. Everything here is a `const fn` without dependencies, in every build.
//!
//! | family | labels |
//! |---|---|
//! | `compozy_http_*` | `method`, `path`, `status_code` |
//! | `compozy_temporal_*` | `workflow_type` |
//! | `compozy_build_info` | `version`, `commit_hash`, `rust_version` |
//! | every other | all of these, closed sets of any name, and the application's own |
//!
//! # Closed sets
//! A label of [`families!`](crate::families) whose values are a closed set has a bound, which is its type. It needs no list, in an
//! application and in a library that others use: `region: Region { Europe = "eu", Asia = "ap" }`.
//!
//! # The application's own labels
//! Free text and the labels of call sites have no bound that the compiler knows. They are on a list in one place,
//! `.cargo/config.toml` at the root of the application's workspace:
//!
//! ```toml
//! [env]
//! COMPOZY_METRIC_LABELS = { value = "task_type,queue", force = true }
//! ```
//!
//! The list is part of the build of this crate, so a change rebuilds everything that depends on it, and a bad entry is
//! a build error. Cargo reads that file from the directory it is called in and those above: called elsewhere, it builds
//! with the core list, and a call site with a label of the application's own does not compile. A published library
//! cannot bring a list along, so it uses closed sets and the core list.
//!
//! # What no label may be called
//! [`PERSONAL`] names have a value for each person or each request. Neither a closed set nor the list allows them.

use core::fmt;

pub use super::buckets::{BoundsFault, MOST_BOUNDS, bounds_fault, bounds_of_unit};
pub(crate) use super::text::{begins, ends, same};

use super::limits::LONGEST_VALUE;

/// The variable of the build that holds the application's own labels: names separated by commas.
pub const EXTENSION_VARIABLE: &str = "COMPOZY_METRIC_LABELS";

/// The list that was given to this build, if one was.
pub(crate) const GIVEN: Option<&str> = option_env!("COMPOZY_METRIC_LABELS");

/// The application's own labels in this build; empty when it has none.
pub const APPLICATION: &str = match GIVEN {
    Some(list) => list,
    None => "",
};

const HTTP: &[&str] = &["method", "path", "status_code"];
const TEMPORAL: &[&str] = &["workflow_type"];
const BUILD_INFO: &[&str] = &["version", "commit_hash", "rust_version"];
/// Every category's.
const CORE: &[&str] = &["method", "path", "status_code", "workflow_type", "version", "commit_hash", "rust_version"];

/// Names of labels that speak of a person or of one request: refused whatever their type, and on no list.
pub const PERSONAL: &[&str] = &[
    // Persons, and what they are reached or known by.
    "account_id",
    "birthday",
    "customer_id",
    "date_of_birth",
    "email",
    "email_address",
    "first_name",
    "full_name",
    "last_name",
    "phone",
    "phone_number",
    "user_email",
    "user_id",
    "user_name",
    "userid",
    "username",
    // Where they call from, and what they show.
    "access_token",
    "api_key",
    "client_address",
    "client_ip",
    "ip",
    "ip_address",
    "password",
    "peer_address",
    "remote_addr",
    "remote_address",
    "remote_ip",
    // One request, or one piece of work.
    "correlation_id",
    "message_id",
    "req_id",
    "request_id",
    "run_id",
    "session_id",
    "span_id",
    "trace_id",
    "transaction_id",
    "workflow_id",
];

/// Whether a label value can stay as it is: not too long, and without control characters.
pub(crate) const fn is_clean_value(value: &str) -> bool {
    let bytes = value.as_bytes();
    let (mut characters, mut i) = (0, 0);
    while i < bytes.len() {
        // In two bytes, the control characters U+0080 to U+009F begin with 0xc2.
        if bytes[i].is_ascii_control() || bytes[i] == 0xc2 && bytes[i + 1] < 0xa0 {
            return false;
        }
        // Every byte but the first of a character begins with the bits 10.
        if bytes[i] & 0xc0 != 0x80 {
            characters += 1;
        }
        i += 1;
    }
    characters <= LONGEST_VALUE
}

/// Which labels a family may carry, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `compozy_http_*`.
    Http,
    /// `compozy_temporal_*`.
    Temporal,
    /// `compozy_build_info`.
    BuildInfo,
    /// Every other name: the core labels of all categories, and the application's own.
    Application,
}

impl Category {
    /// The category of a family.
    ///
    /// ```
    /// use compozy_monitoring::labels::Category;
    ///
    /// assert_eq!(Category::of("compozy_http_requests_total"), Category::Http);
    /// assert_eq!(Category::of("compozy_task_items_processed_total"), Category::Application);
    /// ```
    #[must_use]
    pub const fn of(name: &str) -> Self {
        if begins(name, "compozy_http_") {
            Self::Http
        } else if begins(name, "compozy_temporal_") {
            Self::Temporal
        } else if same(name, "compozy_build_info") {
            Self::BuildInfo
        } else {
            Self::Application
        }
    }

    /// The labels of this crate's list that the category allows.
    #[must_use]
    pub const fn core(self) -> &'static [&'static str] {
        match self {
            Self::Http => HTTP,
            Self::Temporal => TEMPORAL,
            Self::BuildInfo => BUILD_INFO,
            Self::Application => CORE,
        }
    }

    /// The names of the category, as one pattern.
    #[must_use]
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Http => "compozy_http_*",
            Self::Temporal => "compozy_temporal_*",
            Self::BuildInfo => "compozy_build_info",
            Self::Application => "*",
        }
    }

    /// Whether the application's own labels are allowed as well.
    #[must_use]
    pub const fn is_extensible(self) -> bool {
        matches!(self, Self::Application)
    }
}

/// Whether a family may carry a label, by the core list and the [`APPLICATION`]'s.
///
/// ```
/// use compozy_monitoring::labels::is_allowed;
///
/// assert!(is_allowed("compozy_http_requests_total", "method"));
/// assert!(!is_allowed("compozy_http_requests_total", "version"));
/// assert!(!is_allowed("compozy_task_items_processed_total", "user_id"));
/// ```
#[must_use]
pub const fn is_allowed(name: &str, label: &str) -> bool {
    is_allowed_with(name, label, APPLICATION)
}

/// Whether a family may carry a label when the application's own are those of `extension`: for tools that look at a
/// tree whose build they are no part of. [`check_extension`] says whether the list itself is sound.
///
/// ```
/// use compozy_monitoring::labels::is_allowed_with;
///
/// assert!(is_allowed_with("compozy_task_items_processed_total", "queue", "task_type, queue"));
/// assert!(!is_allowed_with("compozy_http_requests_total", "queue", "task_type, queue"));
/// ```
#[must_use]
pub const fn is_allowed_with(name: &str, label: &str, extension: &str) -> bool {
    let category = Category::of(name);
    holds(category.core(), label)
        || category.is_extensible()
            && !label.is_empty()
            && !is_reserved(label)
            && !is_personal(label)
            && lists(extension, label)
}

/// Whether a family may carry a label whose values are a closed set: one of the core list, and in a family of the
/// application's or of a library every name that is not [`PERSONAL`].
///
/// ```
/// use compozy_monitoring::labels::is_allowed_set;
///
/// assert!(is_allowed_set("courier_letters_delivered_total", "region"));
/// assert!(!is_allowed_set("courier_letters_delivered_total", "user_id"));
/// assert!(!is_allowed_set("compozy_http_requests_total", "region"));
/// ```
#[must_use]
pub const fn is_allowed_set(name: &str, label: &str) -> bool {
    let category = Category::of(name);
    holds(category.core(), label)
        || category.is_extensible() && is_plain_label(label) && !is_reserved(label) && !is_personal(label)
}

/// Whether a label speaks of a person or of one request: see [`PERSONAL`].
#[must_use]
pub const fn is_personal(label: &str) -> bool {
    holds(PERSONAL, label)
}

/// Whether a label belongs to the exposition format (`le`, `quantile`) or to Prometheus itself (`__*`).
#[must_use]
pub const fn is_reserved(label: &str) -> bool {
    same(label, "le") || same(label, "quantile") || begins(label, "__")
}

/// Whether the exposition format can hold a label of this name: letters, digits and `_`, no digit first.
#[must_use]
pub const fn is_label_name(label: &str) -> bool {
    is_word(label, false)
}

/// Whether a label could be one of the application's own by its spelling: lower-case letters, digits and `_`, no digit
/// first.
#[must_use]
pub const fn is_plain_label(label: &str) -> bool {
    is_label_name(label) && !has_upper(label)
}

/// Whether the exposition format can hold a family of this name: letters, digits, `_` and `:`, no digit first.
#[must_use]
pub const fn is_metric_name(name: &str) -> bool {
    is_word(name, true)
}

/// Whether a name is one of `compozy_*` once it is exposed, where `.` and `-` become `_`.
#[must_use]
pub const fn is_ours(name: &str) -> bool {
    let bytes = name.as_bytes();
    begins(name, "compozy") && bytes.len() > 7 && !bytes[7].is_ascii_alphanumeric()
}

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
    /// Speaks of a person or of one request.
    Personal,
    /// There twice.
    Duplicate,
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
            Self::Personal => "speaks of a person or of one request",
            Self::Duplicate => "is there twice",
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

/// The kind of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up only.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts samples by bucket.
    Histogram,
}

impl Kind {
    /// Whether series can be added up in one. Two gauges in one series would overwrite each other, so a gauge that has no
    /// series of its own is dropped.
    #[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
    pub(crate) const fn adds_up(self) -> bool {
        !matches!(self, Self::Gauge)
    }

    /// The word of the exposition format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The two gauges that the specification called `_total`.
pub const TOTAL_GAUGES: &[&str] =
    &["compozy_temporal_workers_running_total", "compozy_temporal_workers_configured_total"];

/// What is wrong with the name of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// A `compozy_*` name is made of lower-case words, digits included, joined by single `_`.
    Malformed,
    /// A counter that does not end in `_total`.
    CounterWithoutTotal,
    /// A histogram that ends in no unit, and whose declaration gives no bounds.
    HistogramWithoutUnit,
    /// A gauge that ends in `_total` and is not one of [`TOTAL_GAUGES`].
    GaugeWithTotal,
}

impl NameFault {
    /// The rule that the name breaks.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Malformed => {
                "a `compozy_*` name has lower-case letters, digits and single `_` between them, such as \
                 `compozy_tasks_total`"
            }
            Self::CounterWithoutTotal => "the name of a counter ends in `_total`",
            Self::HistogramWithoutUnit => {
                "the name of a histogram ends in `_seconds` or `_bytes`, or its declaration in `families!` gives the bounds: \
                 `buckets [1, 10, 100]`"
            }
            Self::GaugeWithTotal => "a name that ends in `_total` is a counter's",
        }
    }
}

/// What is wrong with the name of a `compozy_*` family of a kind. Other names have no rules here: they are their
/// library's.
///
/// ```
/// use compozy_monitoring::labels::{Kind, NameFault, name_fault};
///
/// assert_eq!(name_fault("compozy_tasks_total", Kind::Counter), None);
/// assert_eq!(name_fault("compozy_tasks", Kind::Counter), Some(NameFault::CounterWithoutTotal));
/// assert_eq!(name_fault("tasks", Kind::Counter), None);
/// ```
#[must_use]
pub const fn name_fault(name: &str, kind: Kind) -> Option<NameFault> {
    declared_name_fault(name, kind, false)
}

/// The same for a family whose declaration may give the bounds of its buckets: then its name needs no unit.
#[must_use]
pub const fn declared_name_fault(name: &str, kind: Kind, has_buckets: bool) -> Option<NameFault> {
    if !is_ours(name) {
        return None;
    }
    if !is_lower_words(name) {
        return Some(NameFault::Malformed);
    }
    match kind {
        Kind::Counter if !ends(name, "_total") => Some(NameFault::CounterWithoutTotal),
        Kind::Histogram if !has_buckets && bounds_of_unit(name).is_none() => Some(NameFault::HistogramWithoutUnit),
        Kind::Gauge if ends(name, "_total") && !holds(TOTAL_GAUGES, name) => Some(NameFault::GaugeWithTotal),
        _ => None,
    }
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

/// The first entry of a list, and what comes after its comma.
const fn next_entry(list: &str) -> (&str, Option<&str>) {
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

const fn lists(list: &str, label: &str) -> bool {
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

pub(crate) const fn holds(all: &[&str], one: &str) -> bool {
    let mut i = 0;
    while i < all.len() {
        if same(all[i], one) {
            return true;
        }
        i += 1;
    }
    false
}

const fn is_word(text: &str, colons: bool) -> bool {
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

const fn is_lower_words(text: &str) -> bool {
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

const fn has_upper(text: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_category_has_its_own_labels_and_only_others_take_the_applications() {
        let all = |name: &str| {
            let candidates = CORE.iter().copied().chain(["queue", "user_id", "le", "__name__", ""]);
            candidates.filter(|label| is_allowed_with(name, label, "queue,user_id,le,__name__")).collect::<Vec<_>>()
        };
        assert_eq!(all("compozy_http_requests_total"), HTTP);
        assert_eq!(all("compozy_temporal_workflow_started_total"), TEMPORAL);
        assert_eq!(all("compozy_build_info"), BUILD_INFO);
        let other = CORE.iter().copied().chain(["queue"]).collect::<Vec<_>>();
        for name in ["compozy_tasks_total", "compozy_build_info_x", "compozy_http", "tasks_total"] {
            assert_eq!(all(name), other, "{name}");
        }
    }

    #[test]
    fn a_closed_set_is_its_own_permission_but_for_names_that_speak_of_persons_and_in_families_of_the_specification() {
        for name in ["compozy_tasks_total", "courier_letters_total", "Requests:seen"] {
            for label in ["region", "path", "version", "queue", "a1", "user", "id"] {
                assert!(is_allowed_set(name, label), "{label}");
            }
            for label in PERSONAL.iter().copied().chain(["", "le", "__name__", "Region", "rpc.service", "1st"]) {
                assert!(!is_allowed_set(name, label), "{label}");
            }
            assert!(PERSONAL.iter().all(|label| !is_allowed_with(name, label, label)));
        }
        for name in ["compozy_http_calls_total", "compozy_temporal_runs_total", "compozy_build_info"] {
            assert!(!is_allowed_set(name, "region"), "{name}");
        }
        assert!(is_allowed_set("compozy_http_calls_total", "path") && !is_allowed_set("compozy_http_x", "version"));
    }

    #[test]
    fn no_name_that_speaks_of_persons_is_core_and_each_is_a_label_and_there_once() {
        for (place, label) in PERSONAL.iter().enumerate() {
            assert!(is_plain_label(label) && !holds(CORE, label) && !holds(&PERSONAL[..place], label), "{label}");
        }
    }

    #[test]
    fn the_core_list_is_the_categories_together() {
        let together: Vec<_> = [HTTP, TEMPORAL, BUILD_INFO].concat();
        assert_eq!(together, CORE);
        assert!(CORE.iter().all(|label| ACCEPTED_EXTENSION.contains(label)));
    }

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

    #[test]
    fn a_clean_value_has_128_characters_at_most_and_none_that_controls() {
        for clean in ["", "a", "é\u{a0}", &"é".repeat(128), &"\u{1f600}".repeat(128), "\u{2028}", "ä\u{c0}"] {
            assert!(is_clean_value(clean), "{clean:?}");
        }
        assert!(!is_clean_value(&"é".repeat(129)) && !is_clean_value(&"x".repeat(129)));
        for c in (0..=0x2ff).filter_map(char::from_u32) {
            assert_eq!(is_clean_value(&format!("a{c}")), !c.is_control(), "{c:?}");
        }
    }

    #[test]
    fn names_of_ours_say_their_kind() {
        use Kind::{Counter, Gauge, Histogram};
        for (name, kind, fault) in [
            ("compozy_tasks_total", Counter, None),
            ("compozy_tasks", Counter, Some(NameFault::CounterWithoutTotal)),
            ("compozy_task_duration_seconds", Histogram, None),
            ("compozy_task_size_bytes", Histogram, None),
            ("compozy_task_tokens", Histogram, Some(NameFault::HistogramWithoutUnit)),
            ("compozy_depth", Gauge, None),
            ("compozy_depth_total", Gauge, Some(NameFault::GaugeWithTotal)),
            ("compozy_temporal_workers_running_total", Gauge, None),
            ("compozy_temporal_workers_configured_total", Gauge, None),
            ("compozy.tasks.total", Counter, Some(NameFault::Malformed)),
            ("compozy-depth", Gauge, Some(NameFault::Malformed)),
            ("compozy_Tasks_total", Counter, Some(NameFault::Malformed)),
            ("compozy__tasks_total", Counter, Some(NameFault::Malformed)),
            ("compozy_tasks_", Gauge, Some(NameFault::Malformed)),
            ("compozy_", Gauge, Some(NameFault::Malformed)),
            ("compozy_größe", Gauge, Some(NameFault::Malformed)),
            ("compozy:tasks", Gauge, Some(NameFault::Malformed)),
            ("compozyx", Counter, None),
            ("requests", Counter, None),
        ] {
            assert_eq!(name_fault(name, kind), fault, "{name}");
        }
    }
}
