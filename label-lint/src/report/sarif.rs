//! SARIF 2.1.0, for code scanning: the few fields that a static linter needs.

use serde_json::{Value, json};

use crate::{
    finding::{Finding, Place},
    rules::{Level, Rule},
};

pub(super) fn render(findings: &[Finding]) -> String {
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "label-lint",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": Rule::ALL.iter().map(|rule| rule_object(*rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

/// SARIF's word for a level.
const fn level(level: Level) -> &'static str {
    match level {
        Level::Off => "none",
        other => other.as_str(),
    }
}

fn rule_object(rule: Rule) -> Value {
    json!({
        "id": rule.name(),
        "shortDescription": { "text": rule.summary() },
        "fullDescription": { "text": rule.explanation() },
        "defaultConfiguration": { "level": level(rule.level()) },
    })
}

fn result(finding: &Finding) -> Value {
    let mut location = json!({ "artifactLocation": { "uri": uri(&finding.file) } });
    if let Some(place) = &finding.place {
        location["region"] = region(place);
    }
    let text = std::iter::once(&finding.message).chain(&finding.help).cloned().collect::<Vec<_>>().join("\n");
    json!({
        "ruleId": finding.rule.name(),
        "level": level(finding.level),
        "message": { "text": text },
        "locations": [{ "physicalLocation": location }],
    })
}

fn region(place: &Place) -> Value {
    json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    })
}

/// A path as a reference to a file: `/` between the parts, other special characters escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.replace(std::path::MAIN_SEPARATOR, "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    if path.starts_with('/') { format!("file://{uri}") } else { uri }
}
