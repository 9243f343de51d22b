//! The Prometheus text format, version 0.0.4: families, series and labels sorted, each family once.

use std::{fmt::Write, sync::Arc};

use metrics_exporter_prometheus::formatting;

use super::{
    cell::{BUCKET_LABELS, Cell, CounterCell, GaugeCell, HistogramCell},
    guard,
    open::{Open, OpenFamily, SummaryCell},
    store::{FamilyStore, Table},
};
use crate::family::Kind;

/// One family, ready to be printed.
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A value as lines of the format.
pub(crate) trait Print {
    /// The word behind `# TYPE`.
    const TYPE: &'static str;
    fn print(&self, name: &str, labels: &str, out: &mut String);
}

/// No label but those of the series.
const NO_LABEL: (&str, &str) = ("", "");

impl Print for CounterCell {
    const TYPE: &'static str = "counter";

    fn print(&self, name: &str, labels: &str, out: &mut String) {
        line(out, name, "", labels, NO_LABEL);
        let _ = writeln!(out, "{}", self.get());
    }
}

impl Print for GaugeCell {
    const TYPE: &'static str = "gauge";

    fn print(&self, name: &str, labels: &str, out: &mut String) {
        line(out, name, "", labels, NO_LABEL);
        number(out, self.get());
    }
}

impl Print for HistogramCell {
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
        let _ = writeln!(out, "{}", counts[counts.len() - 1]);
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

impl Print for SummaryCell {
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
impl Print for super::cell::BoundedCell {
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

fn head<C: Print>(name: &str, help: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(help) = help {
        formatting::write_help_line(&mut text, name, None, None, &guard::clean_help(help));
    }
    formatting::write_type_line(&mut text, name, None, None, C::TYPE);
    text
}

/// A declared family; nothing when it has no series yet.
pub(crate) fn family<C: Cell + Print>(family: &FamilyStore<C>) -> Option<Block> {
    let def = family.def;
    let mut text = head::<C>(def.name, Some(def.help));
    let before = text.len();
    match &family.table {
        Table::Dense(dense) => {
            let cells = dense.cells();
            for &index in dense.order.iter() {
                let (cell, labels) = (&cells[index], &dense.label_texts[index]);
                if index < dense.size || !cell.is_untouched() {
                    cell.print(def.name, labels, &mut text);
                }
            }
        }
        Table::Text(table) => {
            // A gauge over the cap is dropped, so its overflow series has nothing to say.
            let overflow = table.overflow().filter(|_| def.kind != Kind::Gauge);
            let mut series: Vec<_> = table.own().chain(overflow).map(Arc::as_ref).collect();
            series.sort_unstable_by(|a, b| a.label_text.cmp(&b.label_text));
            for series in series {
                series.cell.print(def.name, &series.label_text, &mut text);
            }
        }
    }
    (text.len() > before).then(|| Block { name: def.name.to_owned(), text })
}

/// A family that nobody declared.
pub(crate) fn open(open: &Open, help: Option<&str>) -> Option<Block> {
    fn block<T: Print>(family: &OpenFamily<T>, help: Option<&str>) -> Option<Block> {
        let all = family.sorted();
        let mut text = head::<T>(&family.name, help);
        for series in &all {
            series.cell.print(&family.name, &series.label_text, &mut text);
        }
        (!all.is_empty()).then(|| Block { name: family.name.clone(), text })
    }
    match open {
        Open::Counter(family) => block(family, help),
        Open::Gauge(family) => block(family, help),
        Open::Histogram(family) => block(family, help),
        Open::Summary(family) => block(family, help),
        #[cfg(feature = "temporal")]
        Open::Bounded(family) => block(family, help),
    }
}

/// All families as one text.
pub(crate) fn merge(mut blocks: Vec<Block>) -> String {
    blocks.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let mut out = String::with_capacity(blocks.iter().map(|block| block.text.len()).sum());
    out.extend(blocks.into_iter().map(|block| block.text));
    out
}
