//! Workflow commands: annotations in the view of a pull request.

use crate::finding::Finding;

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
    let text = std::iter::once(&finding.message).chain(&finding.help).cloned().collect::<Vec<_>>().join("\n");
    format!(
        "::{} file={}{place},title={}::{}\n",
        finding.rule.severity().as_str(),
        property(&finding.file),
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
