//! One JSON object a line.

use serde_json::json;

use crate::finding::Finding;

pub(super) fn render(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{}\n", object(finding))).collect()
}

fn object(finding: &Finding) -> serde_json::Value {
    let place = finding.place.as_ref();
    json!({
        "rule": finding.rule.name(),
        "severity": finding.level.as_str(),
        "file": &*finding.file,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "end_line": place.map(|place| place.end_line),
        "end_column": place.map(|place| place.end_column),
        "message": finding.message,
        "label": finding.label,
        "help": finding.help,
    })
}
