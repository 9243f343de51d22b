//! The rules for the names of families.

use super::{
    buckets::bounds_of_unit,
    text::{begins, ends, holds, is_lower_words, is_word},
};

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

#[cfg(test)]
mod tests {
    use super::*;

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
