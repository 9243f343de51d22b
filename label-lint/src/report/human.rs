//! Diagnostics as the compiler writes them.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::{finding::Finding, rules::Severity};

pub(super) fn render(findings: &[Finding], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    findings.iter().map(|finding| format!("{}\n\n", renderer.render(&[group(finding)]))).collect()
}

fn group(finding: &Finding) -> Group<'_> {
    let level = match finding.rule.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(&finding.message).id(finding.rule.name()));
    group = match &finding.place {
        Some(place) => {
            let mark = AnnotationKind::Primary.span(place.range.clone());
            let mark = if finding.caption.is_empty() { mark } else { mark.label(&finding.caption) };
            let snippet = Snippet::source(place.text.as_str()).line_start(place.line).path(&*finding.file);
            group.element(snippet.annotation(mark))
        }
        None => group.element(Origin::path(&*finding.file)),
    };
    finding.help.iter().fold(group, |group, help| group.element(Level::HELP.message(help.as_str())))
}
