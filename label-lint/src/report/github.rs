//! Workflow commands: annotations in the view of a pull request.

use super::visible;
use crate::{finding::Finding, rules::Level};

pub(super) fn render(findings: &[Finding]) -> String {
    findings.iter().map(command).collect()
}

fn command(finding: &Finding) -> String {
    let place = finding.place.as_ref().map_or_else(String::new, |place| {
        let columns = if place.line == place.end_line {
            format!(",col={},endColumn={}", place.column, place.end_column)
        } else {
            String::new()
        };
        format!(",line={},endLine={}{columns}", place.line, place.end_line)
    });
    let texts = std::iter::once(&finding.message).chain(&finding.help).map(|text| visible(text));
    let text = texts.collect::<Vec<_>>().join("\n");
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note | Level::Off => "notice",
    };
    format!(
        "::{} file={}{place},title={}::{}\n",
        level,
        property(&visible(&finding.file)),
        property(&format!("label-lint: {}", finding.rule.name())),
        data(&text)
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
