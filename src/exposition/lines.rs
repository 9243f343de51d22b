//! Lines of samples, for both text formats.

use std::fmt::Write;

/// Writes the samples of one family after the other.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The name of the current family.
    pub(super) name: String,
    pub(super) out: String,
}

/// No label but those of the metric.
pub(super) const NO_LABEL: (&str, &str) = ("", "");

impl Lines {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { name: String::new(), out: String::with_capacity(bytes) }
    }

    pub(super) fn count(&mut self, suffix: &str, labels: &str, extra: (&str, &str), value: u64) {
        series(&mut self.out, &self.name, suffix, labels, extra);
        whole(&mut self.out, value);
        self.out.push('\n');
    }

    pub(super) fn number(&mut self, suffix: &str, labels: &str, extra: (&str, &str), value: f64) {
        series(&mut self.out, &self.name, suffix, labels, extra);
        let _ = if value.is_infinite() {
            writeln!(self.out, "{}Inf", if value > 0.0 { '+' } else { '-' })
        } else {
            writeln!(self.out, "{value}")
        };
    }
}

/// `name_suffix{labels,extra="…"} `
pub(super) fn series(out: &mut String, name: &str, suffix: &str, labels: &str, (extra, value): (&str, &str)) {
    out.push_str(name);
    out.push_str(suffix);
    if !labels.is_empty() || !extra.is_empty() {
        out.push('{');
        out.push_str(labels);
        if !extra.is_empty() {
            if !labels.is_empty() {
                out.push(',');
            }
            out.push_str(extra);
            out.push_str("=\"");
            out.push_str(value);
            out.push('"');
        }
        out.push('}');
    }
    out.push(' ');
}

/// A whole number. A scrape of histograms is mostly such numbers, and the standard library's formatting takes four times as long.
fn whole(out: &mut String, mut number: u64) {
    let (mut digits, mut first) = ([b'0'; 20], 20usize);
    for digit in digits.iter_mut().rev() {
        *digit = b'0'.wrapping_add((number % 10) as u8);
        number /= 10;
        first = first.saturating_sub(1);
        if number == 0 {
            break;
        }
    }
    out.push_str(digits.get(first..).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_all_their_digits() {
        let powers = (0..20).map(|power| 10u64.pow(power));
        for number in powers.flat_map(|power| [power - 1, power, power + 1]).chain([u64::MAX - 1, u64::MAX]) {
            let mut out = String::from("x ");
            whole(&mut out, number);
            assert_eq!(out, format!("x {number}"));
        }
    }
}
