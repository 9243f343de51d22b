//! The core list of labels, the labels that no family may have, and the rules for label values.

use super::{
    limits::LONGEST_VALUE,
    names::{Namespace, own_name},
    text::{begins, has_upper, holds, is_word, lists, same},
};

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
pub(super) const CORE: &[&str] =
    &["method", "path", "status_code", "workflow_type", "version", "commit_hash", "rust_version"];

/// Names of labels that speak of a person or of one request. They are refused for every type of label, and on the list.
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
        Namespace::BUILD.category(name)
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
            Self::Http => own_name!("http_*"),
            Self::Temporal => own_name!("temporal_*"),
            Self::BuildInfo => own_name!("build_info"),
            Self::Application => "*",
        }
    }

    /// Whether the application's own labels are allowed as well.
    #[must_use]
    pub const fn is_extensible(self) -> bool {
        matches!(self, Self::Application)
    }
}

/// Whether a family may have a label, by the core list and [`APPLICATION`].
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

/// Whether a family may have a label if the application's own labels are those of `extension`. For tools that look at a
/// source tree without being part of its build. [`check_extension`](super::labels::check_extension) says whether the
/// list itself is correct.
///
/// ```
/// use compozy_monitoring::labels::is_allowed_with;
///
/// assert!(is_allowed_with("compozy_task_items_processed_total", "queue", "task_type, queue"));
/// assert!(!is_allowed_with("compozy_http_requests_total", "queue", "task_type, queue"));
/// ```
#[must_use]
pub const fn is_allowed_with(name: &str, label: &str, extension: &str) -> bool {
    Namespace::BUILD.allows(name, label, extension)
}

/// Whether a family may have a label whose values are a closed set: a label of the core list, or, in a family of an
/// application or a library, every name that is not in [`PERSONAL`].
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
    Namespace::BUILD.allows_set(name, label)
}

impl Namespace<'_> {
    /// The category of a family.
    #[must_use]
    pub const fn category(self, name: &str) -> Category {
        match self.rest_of(name) {
            Some(rest) if begins(rest, "_http_") => Category::Http,
            Some(rest) if begins(rest, "_temporal_") => Category::Temporal,
            Some(rest) if same(rest, "_build_info") => Category::BuildInfo,
            _ => Category::Application,
        }
    }

    /// As [`is_allowed_with`].
    #[must_use]
    pub const fn allows(self, name: &str, label: &str, extension: &str) -> bool {
        let category = self.category(name);
        holds(category.core(), label)
            || category.is_extensible()
                && !label.is_empty()
                && !is_reserved(label)
                && !is_personal(label)
                && lists(extension, label)
    }

    /// As [`is_allowed_set`].
    #[must_use]
    pub const fn allows_set(self, name: &str, label: &str) -> bool {
        let category = self.category(name);
        holds(category.core(), label)
            || category.is_extensible() && is_plain_label(label) && !is_reserved(label) && !is_personal(label)
    }
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

#[cfg(test)]
mod tests {
    use super::{super::extension::ACCEPTED_EXTENSION, *};

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
    fn a_clean_value_has_128_characters_at_most_and_none_that_controls() {
        for clean in ["", "a", "é\u{a0}", &"é".repeat(128), &"\u{1f600}".repeat(128), "\u{2028}", "ä\u{c0}"] {
            assert!(is_clean_value(clean), "{clean:?}");
        }
        assert!(!is_clean_value(&"é".repeat(129)) && !is_clean_value(&"x".repeat(129)));
        for c in (0..=0x2ff).filter_map(char::from_u32) {
            assert_eq!(is_clean_value(&format!("a{c}")), !c.is_control(), "{c:?}");
        }
    }
}
