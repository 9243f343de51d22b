//! The rules for the names of families.

use super::{
    buckets::bounds_of_unit,
    message::{Message, fail},
    text::{begins, ends, is_lower_words, is_word, same},
};

/// Whether the exposition format can hold a family of this name: letters, digits, `_` and `:`, no digit first.
#[must_use]
pub const fn is_metric_name(name: &str) -> bool {
    is_word(name, true)
}

/// The namespace of this build, as a literal for `concat!`; with a text, a name in it: `own_name!("build_info")`.
macro_rules! own_name {
    () => {
        env!("COMPOZY_MONITORING_NAMESPACE")
    };
    ($rest:literal) => {
        concat!(env!("COMPOZY_MONITORING_NAMESPACE"), "_", $rest)
    };
}
pub(crate) use own_name;

/// The variable of the build that holds the namespace: the first word or words of the names of this crate's families,
/// and of the names for which the rules hold.
pub const NAMESPACE_VARIABLE: &str = "COMPOZY_METRIC_NAMESPACE";

/// What a namespace may be, for messages.
pub const ACCEPTED_NAMESPACE: &str = "words of lower-case letters and digits with single `_` between them, a letter first, such as \
                                      `acme` or `acme_shop`; the first word is not temporal, process or tokio, whose families others \
                                      define. Unset it is `compozy`";

const _: () = if Namespace::new(Namespace::BUILD.0).is_none() {
    fail(
        Message::new(NAMESPACE_VARIABLE)
            .and(":")
            .quote(Namespace::BUILD.0)
            .and(" is no namespace\naccepted: ")
            .and(ACCEPTED_NAMESPACE),
    );
};

/// The namespace of a build: `compozy`, or the value of `COMPOZY_METRIC_NAMESPACE`. A name is in it if it begins with
/// the namespace and a `_`. The functions beside it use that of this build, [`Namespace::BUILD`]. A tool that looks at
/// a source tree without being part of its build makes the namespace of that tree.
///
/// ```
/// use compozy_monitoring::labels::{Category, Namespace};
///
/// let acme = Namespace::new("acme").expect("a namespace");
/// assert!(acme.holds("acme_http_requests_total") && !acme.holds("compozy_http_requests_total"));
/// assert_eq!(acme.category("acme_http_requests_total"), Category::Http);
/// assert_eq!(Namespace::new("Acme-"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace<'a>(&'a str);

impl<'a> Namespace<'a> {
    /// This build's.
    pub const BUILD: Namespace<'static> = Namespace(own_name!());

    /// The namespace of a build that sets none.
    pub const DEFAULT: Namespace<'static> = Namespace("compozy");

    /// A namespace, if the text can be one: see [`ACCEPTED_NAMESPACE`].
    #[must_use]
    pub const fn new(text: &'a str) -> Option<Self> {
        let others = ["temporal", "process", "tokio"];
        let mut i = 0;
        while i < others.len() {
            if Namespace(others[i]).holds(text) || same(text, others[i]) {
                return None;
            }
            i += 1;
        }
        if is_lower_words(text) && !begins(text, "_") { Some(Self(text)) } else { None }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether a name is in it once it is exposed, where `.` and `-` become `_`.
    #[must_use]
    pub const fn holds(self, name: &str) -> bool {
        match self.rest_of(name) {
            Some(rest) => !rest.is_empty() && !rest.as_bytes()[0].is_ascii_alphanumeric(),
            None => false,
        }
    }

    /// What stands behind the namespace in a name that begins with it.
    pub(super) const fn rest_of(self, name: &str) -> Option<&str> {
        if begins(name, self.0) { Some(name.split_at(self.0.len()).1) } else { None }
    }

    /// As [`declared_name_fault`].
    #[must_use]
    pub const fn name_fault(self, name: &str, kind: Kind, has_buckets: bool) -> Option<NameFault> {
        if !self.holds(name) {
            return None;
        }
        if !is_lower_words(name) {
            return Some(NameFault::Malformed);
        }
        match kind {
            Kind::Counter if !ends(name, "_total") => Some(NameFault::CounterWithoutTotal),
            Kind::Histogram if !has_buckets && bounds_of_unit(name).is_none() => Some(NameFault::HistogramWithoutUnit),
            Kind::Gauge if ends(name, "_total") && !self.is_total_gauge(name) => Some(NameFault::GaugeWithTotal),
            _ => None,
        }
    }

    const fn is_total_gauge(self, name: &str) -> bool {
        let mut i = 0;
        while i < TOTAL_GAUGES.len() {
            if let (Some(known), Some(rest)) = (Namespace::BUILD.rest_of(TOTAL_GAUGES[i]), self.rest_of(name))
                && same(known, rest)
            {
                return true;
            }
            i += 1;
        }
        false
    }
}

/// Whether a name is one of [`Namespace::BUILD`], `compozy_*` by default, once it is exposed, where `.` and `-` become `_`.
#[must_use]
pub const fn is_ours(name: &str) -> bool {
    Namespace::BUILD.holds(name)
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
    /// Whether several series can be added up in one. Two gauges in one series would overwrite each other, so a gauge over the cap
    /// is dropped.
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
    &[own_name!("temporal_workers_running_total"), own_name!("temporal_workers_configured_total")];

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
            Self::Malformed => concat!(
                "a `",
                own_name!("*"),
                "` name has lower-case letters, digits and single `_` between them, such as `",
                own_name!("tasks_total"),
                "`"
            ),
            Self::CounterWithoutTotal => "the name of a counter ends in `_total`",
            Self::HistogramWithoutUnit => {
                "the name of a histogram ends in `_seconds` or `_bytes`, or its declaration in `families!` gives the bounds: \
                 `buckets [1, 10, 100]`"
            }
            Self::GaugeWithTotal => "a name that ends in `_total` is a counter's",
        }
    }
}

/// What is wrong with the name of a family of this kind, if it is in the namespace of the build (`compozy_*` by
/// default). Other names have no rules here: they belong to their library.
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

/// The same for a family whose declaration may give `buckets`: then its name needs no unit.
#[must_use]
pub const fn declared_name_fault(name: &str, kind: Kind, has_buckets: bool) -> Option<NameFault> {
    Namespace::BUILD.name_fault(name, kind, has_buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_lower_case_words_that_are_nobody_elses() {
        for good in ["compozy", "acme", "acme_shop", "a", "a1", "a_1", "temporalx", "tokio1_x", "processes"] {
            assert_eq!(Namespace::new(good), Some(Namespace(good)), "{good}");
        }
        for bad in [
            "",
            "_",
            "_acme",
            "acme_",
            "acme__shop",
            "Acme",
            "1acme",
            "acme-shop",
            "acme.shop",
            "acme shop",
            " acme",
            "gr\u{f6}\u{df}e",
            "acme:shop",
            "acme\n",
            "temporal",
            "temporal_x",
            "process",
            "process_cpu",
            "tokio",
            "tokio_x",
        ] {
            assert_eq!(Namespace::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_rules_hold_for_the_namespace_that_is_asked_and_no_other() {
        let acme = Namespace::new("acme_shop").unwrap();
        for (name, kind, fault) in [
            ("acme_shop_tasks", Kind::Counter, Some(NameFault::CounterWithoutTotal)),
            ("acme_shop_tasks_total", Kind::Counter, None),
            ("acme_shop_temporal_workers_running_total", Kind::Gauge, None),
            ("acme_shop_depth_total", Kind::Gauge, Some(NameFault::GaugeWithTotal)),
            ("acme_shop.x", Kind::Gauge, Some(NameFault::Malformed)),
            ("acme_shopping", Kind::Counter, None),
            ("acme_tasks", Kind::Counter, None),
            ("compozy_tasks", Kind::Counter, None),
            ("acme_shop", Kind::Counter, None),
        ] {
            assert_eq!(acme.name_fault(name, kind, false), fault, "{name}");
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
