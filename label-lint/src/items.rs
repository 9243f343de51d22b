//! The items of other packages that the linter knows.

/// What the linter knows of `metrics` and the facade: a glob import brings nothing else.
pub const ITEMS: &[&str] = &[
    "counter",
    "gauge",
    "histogram",
    "describe_counter",
    "describe_gauge",
    "describe_histogram",
    "key_var",
    "families",
    "Label",
    "Key",
    "IntoLabels",
];

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
