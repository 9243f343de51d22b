//! One diagnostic of the compiler a line, as `rustc --error-format json` writes them: what editors show. rust-analyzer
//! takes it from `check.overrideCommand`.

use serde_json::{Value, json};

use super::human;
use crate::{
    finding::{Finding, Place},
    rules::Level,
};

pub(super) fn render(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{}\n", diagnostic(finding))).collect()
}

fn diagnostic(finding: &Finding) -> Value {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note | Level::Off => "note",
    };
    let child = |help: &String| json!({ "message": help, "code": null, "level": "help", "spans": [], "children": [], "rendered": null });
    json!({
        "$message_type": "diagnostic",
        "message": finding.message,
        "code": { "code": format!("label-lint::{}", finding.rule.name()), "explanation": null },
        "level": level,
        "spans": finding.place.iter().map(|place| span(finding, place)).collect::<Vec<_>>(),
        "children": finding.help.iter().map(child).collect::<Vec<_>>(),
        "rendered": human::render(std::slice::from_ref(finding), false),
    })
}

fn span(finding: &Finding, place: &Place) -> Value {
    let before = |end: usize| place.text.get(..end).map_or(0, |text| text.chars().count());
    json!({
        "file_name": &*finding.file,
        "byte_start": place.bytes.start,
        "byte_end": place.bytes.end,
        "line_start": place.line,
        "line_end": place.end_line,
        "column_start": place.column,
        "column_end": place.end_column,
        "is_primary": true,
        "text": [{
            "text": place.text,
            "highlight_start": before(place.range.start) + 1,
            "highlight_end": before(place.range.end) + 1,
        }],
        "label": finding.caption,
        "suggested_replacement": null,
        "suggestion_applicability": null,
        "expansion": null,
    })
}
