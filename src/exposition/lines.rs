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
        let _ = writeln!(self.out, "{value}");
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
