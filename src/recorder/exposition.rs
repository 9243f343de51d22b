//! The Prometheus text format, version 0.0.4: families, series and labels sorted, each family once.

use std::{fmt::Write, sync::Arc};

use metrics_exporter_prometheus::formatting;

use super::{
    cell::{BUCKET_LABELS, Cell, CounterCell, GaugeCell, HistogramCell},
    guard,
    store::{FamilyStore, Table},
};
use crate::family::Kind;

/// One family, ready to be printed.
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A value as lines of the format.
pub(crate) trait Print: Cell {
    fn print(&self, name: &str, labels: &str, out: &mut String);
}

impl Print for CounterCell {
    fn print(&self, name: &str, labels: &str, out: &mut String) {
        line(out, name, "", labels, "");
        let _ = writeln!(out, "{}", self.get());
    }
}

impl Print for GaugeCell {
    fn print(&self, name: &str, labels: &str, out: &mut String) {
        line(out, name, "", labels, "");
        number(out, self.get());
    }
}

impl Print for HistogramCell {
    fn print(&self, name: &str, labels: &str, out: &mut String) {
        let counts = self.cumulative();
        for (label, count) in BUCKET_LABELS.iter().zip(counts) {
            line(out, name, "_bucket", labels, label);
            let _ = writeln!(out, "{count}");
        }
        line(out, name, "_sum", labels, "");
        number(out, self.sum());
        line(out, name, "_count", labels, "");
        let _ = writeln!(out, "{}", counts[counts.len() - 1]);
    }
}

/// `name_suffix{labels,le="…"} `
fn line(out: &mut String, name: &str, suffix: &str, labels: &str, le: &str) {
    out.push_str(name);
    out.push_str(suffix);
    if !labels.is_empty() || !le.is_empty() {
        out.push('{');
        out.push_str(labels);
        if !le.is_empty() {
            if !labels.is_empty() {
                out.push(',');
            }
            out.push_str("le=\"");
            out.push_str(le);
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

/// A family of ours; nothing when it has no series yet.
pub(crate) fn family<C: Print>(family: &FamilyStore<C>) -> Option<Block> {
    let def = family.def;
    let mut text = String::new();
    formatting::write_help_line(&mut text, def.name, None, None, &guard::double_backslashes(def.help.trim()));
    formatting::write_type_line(&mut text, def.name, None, None, def.kind.as_str());
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
            let is_gauge = def.kind == Kind::Gauge;
            let overflow = table.overflow().filter(|_| !is_gauge);
            let mut series: Vec<_> = table.own().chain(overflow).map(Arc::as_ref).collect();
            series.sort_unstable_by(|a, b| a.label_text.cmp(&b.label_text));
            for series in series {
                series.cell.print(def.name, &series.label_text, &mut text);
            }
        }
    }
    (text.len() > before).then(|| Block { name: def.name.to_owned(), text })
}

/// All families as one text.
pub(crate) fn merge(mut blocks: Vec<Block>) -> String {
    blocks.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let mut out = String::with_capacity(blocks.iter().map(|block| block.text.len()).sum());
    out.extend(blocks.into_iter().map(|block| block.text));
    out
}
