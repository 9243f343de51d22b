//! The items of other packages that the linter knows.

/// The macros of `metrics` and the facade.
pub const MACROS: &[&str] = &[
    "counter",
    "gauge",
    "histogram",
    "describe_counter",
    "describe_gauge",
    "describe_histogram",
    "key_var",
    "families",
];

/// Their types.
pub const TYPES: &[&str] = &["Label", "Key", "IntoLabels"];

/// Whether the linter knows this item of `metrics` or the facade: a glob import brings nothing else.
pub fn is_item(name: &str) -> bool {
    MACROS.contains(&name) || TYPES.contains(&name)
}

/// What it knows of the packages in [`crate::manifest::OTHERS`].
pub const OTHER_ITEMS: &[&str] = &[
    "MetricKeyValue",
    "KeyValue",
    "EncodeLabelSet",
    "Metrics",
    "Opts",
    "HistogramOpts",
    "PrometheusBuilder",
    "labels",
];
