//! The Prometheus text format, version 0.0.4: families, series and labels sorted, each family once.

use std::fmt::Write;

use metrics_exporter_prometheus::formatting;

use crate::storage::{
    cell::{BUCKET_LABELS, Cell, CounterCell, GaugeCell, HistogramCell, Slot},
    sanitize,
    store::{FamilyStore, Table},
    undeclared::{SummaryCell, UndeclaredFamilies, UndeclaredFamily},
};

/// A value as lines of the format.
pub(crate) trait Encode {
    /// The word behind `# TYPE`.
    const TYPE: &'static str;
    fn print(&self, name: &str, labels: &str, out: &mut String);
}

/// No label but those of the series.
const NO_LABEL: (&str, &str) = ("", "");

impl Encode for CounterCell {
    const TYPE: &'static str = "counter";

    fn print(&self, name: &str, labels: &str, out: &mut String) {
        line(out, name, "", labels, NO_LABEL);
        let _ = writeln!(out, "{}", self.get());
    }
}

impl Encode for GaugeCell {
    const TYPE: &'static str = "gauge";

    fn print(&self, name: &str, labels: &str, out: &mut String) {
        line(out, name, "", labels, NO_LABEL);
        number(out, self.get());
    }
}

impl Encode for HistogramCell {
    const TYPE: &'static str = "histogram";

    fn print(&self, name: &str, labels: &str, out: &mut String) {
        let counts = self.cumulative();
        for (label, count) in BUCKET_LABELS.iter().zip(counts) {
            line(out, name, "_bucket", labels, ("le", label));
            let _ = writeln!(out, "{count}");
        }
        line(out, name, "_sum", labels, NO_LABEL);
        number(out, self.sum());
        line(out, name, "_count", labels, NO_LABEL);
        let _ = writeln!(out, "{}", counts.last().copied().unwrap_or_default());
    }
}

/// `name_suffix{labels,extra="…"} `
fn line(out: &mut String, name: &str, suffix: &str, labels: &str, (extra, value): (&str, &str)) {
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

fn number(out: &mut String, value: f64) {
    let _ = if value.is_infinite() {
        writeln!(out, "{}Inf", if value > 0.0 { '+' } else { '-' })
    } else {
        writeln!(out, "{value}")
    };
}

impl Encode for SummaryCell {
    const TYPE: &'static str = "summary";

    fn print(&self, name: &str, labels: &str, out: &mut String) {
        let (quantiles, sum, count) = self.read();
        for (quantile, value) in quantiles {
            line(out, name, "", labels, ("quantile", &quantile));
            number(out, value);
        }
        line(out, name, "_sum", labels, NO_LABEL);
        number(out, sum);
        line(out, name, "_count", labels, NO_LABEL);
        let _ = writeln!(out, "{count}");
    }
}

#[cfg(feature = "temporal")]
impl Encode for crate::storage::cell::BoundedCell {
    const TYPE: &'static str = "histogram";

    fn print(&self, name: &str, labels: &str, out: &mut String) {
        let (counts, sum, total) = self.read();
        for (bound, count) in counts {
            let bound = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
            line(out, name, "_bucket", labels, ("le", &bound));
            let _ = writeln!(out, "{count}");
        }
        line(out, name, "_sum", labels, NO_LABEL);
        number(out, sum);
        line(out, name, "_count", labels, NO_LABEL);
        let _ = writeln!(out, "{total}");
    }
}

/// The help of a name that nobody described: without any, `promtool` finds fault with the text.
const NO_HELP: &str = "Not described";

fn head<C: Encode>(name: &str, help: Option<&str>, out: &mut String) {
    formatting::write_help_line(out, name, None, None, &sanitize::clean_help(help.unwrap_or(NO_HELP)));
    formatting::write_type_line(out, name, None, None, C::TYPE);
}

/// A family of one series without labels.
#[cfg(any(feature = "process", feature = "tokio-runtime"))]
pub(crate) fn one(family: &crate::builtin::collectors::Family, out: &mut String) {
    formatting::write_help_line(out, family.name, None, None, family.help);
    formatting::write_type_line(out, family.name, None, None, family.kind);
    line(out, family.name, "", "", NO_LABEL);
    number(out, family.value);
}

/// A declared family; nothing when it has no series yet.
pub(crate) fn family<C: Cell + Encode>(family: &FamilyStore<C>, out: &mut String) {
    let def = family.def;
    let start = out.len();
    head::<C>(def.name, Some(def.help), out);
    let before = out.len();
    match &family.table {
        Table::Dense(dense) => {
            for &index in dense.order.iter() {
                let shown = dense.slots().get(index).and_then(Slot::shown);
                let (Some(cell), Some(labels)) = (shown, dense.label_texts.get(index)) else { continue };
                if index < dense.size || !cell.is_untouched() {
                    cell.print(def.name, labels, out);
                }
            }
        }
        Table::Text(table) => {
            let (sorted, overflow) = table.sorted();
            let mut overflow = overflow.map(|series| (series.label_text.as_ref(), &series.cell));
            for (labels, cell) in sorted.iter() {
                if let Some((other, cell)) = overflow.take_if(|(other, _)| *other < labels) {
                    cell.print(def.name, other, out);
                }
                cell.print(def.name, labels, out);
            }
            if let Some((other, cell)) = overflow {
                cell.print(def.name, other, out);
            }
        }
    }
    if out.len() == before {
        out.truncate(start);
    }
}

/// A family that nobody declared; nothing when it has no series yet.
pub(crate) fn open(open: &UndeclaredFamilies, help: Option<&str>, out: &mut String) {
    fn print<T: Encode + Send + Sync + 'static>(family: &UndeclaredFamily<T>, help: Option<&str>, out: &mut String) {
        let all = family.sorted();
        if all.is_empty() {
            return;
        }
        head::<T>(&family.name, help, out);
        for series in &all {
            series.cell.print(&family.name, &series.label_text, out);
        }
    }
    match open {
        UndeclaredFamilies::Counter(family) => print(family, help, out),
        UndeclaredFamilies::Gauge(family) => print(family, help, out),
        UndeclaredFamilies::Histogram(family) => print(family, help, out),
        UndeclaredFamilies::Summary(family) => print(family, help, out),
        #[cfg(feature = "temporal")]
        UndeclaredFamilies::Bounded(family) => print(family, help, out),
    }
}
