//! The limits: how many series a family has, how long a label value is.

/// How many series a family may have, unless the configuration says otherwise.
pub(crate) const SERIES_CAP: usize = 2_000;
/// The longest label value, in characters.
pub(crate) const LONGEST_VALUE: usize = 128;
/// The value of every label of the series to which a family at its cap folds new label values.
pub(crate) const OTHER: &str = "other";
