//! Numbers as people read them: in a unit that fits their size.

use std::fmt::{self, Display};

use crate::schema::buckets::unit_of;

/// The unit of a family, by its name.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Seconds,
    Bytes,
    None,
}

impl Unit {
    pub(super) fn of(name: &str) -> Self {
        match unit_of(name.strip_suffix("_total").unwrap_or(name)) {
            Some("seconds") => Self::Seconds,
            Some("bytes") => Self::Bytes,
            _ => Self::None,
        }
    }

    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => duration(value).to_string(),
            Self::Bytes => {
                Scaled(value, &[("B", 1024.0), ("KiB", 1024.0), ("MiB", 1024.0), ("GiB", f64::INFINITY)]).to_string()
            }
            Self::None => value.to_string(),
        }
    }
}

pub(super) fn duration(seconds: f64) -> Scaled {
    const STEPS: &[(&str, f64)] = &[
        ("ns", 1_000.0),
        ("µs", 1_000.0),
        ("ms", 1_000.0),
        ("s", 60.0),
        ("min", 60.0),
        ("h", 24.0),
        ("d", f64::INFINITY),
    ];
    Scaled(seconds * 1e9, STEPS)
}

/// A number in the largest of some units in which it is at least 1, with three digits.
pub(super) struct Scaled(f64, &'static [(&'static str, f64)]);

impl Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0;
        if value == 0.0 || !value.is_finite() {
            return write!(f, "{value}");
        }
        for (unit, next) in self.1 {
            if value.abs() < *next {
                let digits = if value.abs() >= 100.0 { 0 } else { 1 };
                return write!(f, "{value:.digits$} {unit}");
            }
            value /= next;
        }
        write!(f, "{value}")
    }
}

pub(super) struct Mean {
    pub(super) sum: f64,
    pub(super) count: u64,
    pub(super) unit: Unit,
}

impl Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => f.write_str("-"),
            count => f.write_str(&self.unit.show(self.sum / count as f64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_unit_that_a_person_reads() {
        for (seconds, text) in [
            (0.0, "0"),
            (0.000_000_002, "2.0 ns"),
            (0.001_5, "1.5 ms"),
            (0.25, "250 ms"),
            (59.0, "59.0 s"),
            (90.0, "1.5 min"),
            (7_200.0, "2.0 h"),
            (172_800.0, "2.0 d"),
            (-0.25, "-250 ms"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(duration(seconds).to_string(), text);
        }
        assert_eq!(Unit::of("x_bytes_total").show(2_048.0), "2.0 KiB");
        assert_eq!(Unit::of("x_total").show(2_048.0), "2048");
    }
}
