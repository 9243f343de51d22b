//! The upper bounds of histograms: by the unit in the name, or given by the declaration. Everything is a `const fn`.

use super::text::ends;

/// Bounds in seconds, from the specification, section 3.3. `+Inf` follows, as with all others.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds in bytes: those of Compozy's own Go package.
const BYTES: [f64; 7] = [100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0, 100_000_000.0];
/// The units that a name can end in, with the bounds of its histogram.
const UNITS: [(&str, &[f64]); 2] = [("_seconds", &SECONDS), ("_bytes", &BYTES)];

/// How many bounds a declaration may give.
pub const MOST_BOUNDS: usize = 30;

/// The bounds of a histogram without `buckets`, by the unit in its name; nothing where there is none.
///
/// ```
/// use compozy_monitoring::labels::bounds_of_unit;
///
/// assert_eq!(bounds_of_unit("compozy_task_duration_seconds").unwrap()[0], 0.005);
/// assert_eq!(bounds_of_unit("compozy_task_payload_bytes").unwrap()[0], 100.0);
/// assert_eq!(bounds_of_unit("compozy_llm_completion_tokens"), None);
/// ```
#[must_use]
pub const fn bounds_of_unit(name: &str) -> Option<&'static [f64]> {
    let mut i = 0;
    while i < UNITS.len() {
        if ends(name, UNITS[i].0) {
            return Some(UNITS[i].1);
        }
        i += 1;
    }
    None
}

/// The unit at the end of a name; nothing where there is none that has bounds.
#[cfg(any(test, feature = "prometheus"))]
pub(crate) fn unit_of(name: &str) -> Option<&'static str> {
    let found = UNITS.iter().find(|(end, _)| name.ends_with(end));
    found.map(|(end, _)| end.trim_start_matches('_'))
}

/// What is wrong with the bounds of a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundsFault {
    /// There is none.
    Empty,
    /// More than [`MOST_BOUNDS`].
    TooMany,
    /// The bound at this place is infinite or not a number.
    NotFinite(usize),
    /// The bound at this place is not above the one before it.
    NotRising(usize),
}

impl BoundsFault {
    /// The fault in a few words: of the whole list, or to follow the bound.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "there are no bounds: `buckets [..]` takes 1 to 30",
            Self::TooMany => "there are more than 30 bounds",
            Self::NotFinite(_) => "is not a finite number; `+Inf` follows by itself",
            Self::NotRising(_) => "is not above the one before it",
        }
    }
}

/// What is wrong with the bounds of a declaration: they are 1 to 30 finite numbers, rising.
///
/// ```
/// use compozy_monitoring::labels::{BoundsFault, bounds_fault};
///
/// assert_eq!(bounds_fault(&[16.0, 64.0, 256.0]), None);
/// assert_eq!(bounds_fault(&[16.0, 64.0, 64.0]), Some(BoundsFault::NotRising(2)));
/// ```
#[must_use]
pub const fn bounds_fault(bounds: &[f64]) -> Option<BoundsFault> {
    if bounds.is_empty() {
        return Some(BoundsFault::Empty);
    }
    if bounds.len() > MOST_BOUNDS {
        return Some(BoundsFault::TooMany);
    }
    let mut i = 0;
    while i < bounds.len() {
        if !bounds[i].is_finite() {
            return Some(BoundsFault::NotFinite(i));
        }
        if i > 0 && bounds[i] <= bounds[i - 1] {
            return Some(BoundsFault::NotRising(i));
        }
        i += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_finite_and_rise() {
        for sound in
            [&[0.5][..], &[-1.0, 0.0, 1.0], &[0.1, 0.1 + f64::EPSILON], &SECONDS, &BYTES, &[f64::MIN, f64::MAX]]
        {
            assert_eq!(bounds_fault(sound), None, "{sound:?}");
        }
        let many: Vec<f64> = (0..31).map(f64::from).collect();
        assert_eq!(bounds_fault(&many[..30]), None);
        for (bounds, fault) in [
            (&[][..], BoundsFault::Empty),
            (&many, BoundsFault::TooMany),
            (&[f64::NAN], BoundsFault::NotFinite(0)),
            (&[1.0, f64::NAN, 0.5], BoundsFault::NotFinite(1)),
            (&[1.0, f64::INFINITY], BoundsFault::NotFinite(1)),
            (&[f64::NEG_INFINITY, 1.0], BoundsFault::NotFinite(0)),
            (&[1.0, 2.0, 2.0], BoundsFault::NotRising(2)),
            (&[2.0, 1.0], BoundsFault::NotRising(1)),
            (&[0.0, -0.0], BoundsFault::NotRising(1)),
        ] {
            assert_eq!(bounds_fault(bounds), Some(fault), "{bounds:?}");
        }
    }

    #[test]
    fn the_unit_stands_behind_a_name() {
        for (name, first) in [
            ("compozy_x_seconds", Some(0.005)),
            ("x_bytes", Some(100.0)),
            ("_bytes", Some(100.0)),
            ("bytes", None),
            ("compozy_x_bytes_total", None),
            ("compozy_x_megabytes", None),
            ("compozy_x_tokens", None),
            ("", None),
        ] {
            assert_eq!(bounds_of_unit(name).map(|bounds| bounds[0]), first, "{name}");
            assert_eq!(unit_of(name).is_some(), first.is_some(), "{name}");
        }
    }
}
