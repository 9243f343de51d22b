//! Diagnostics as the compiler writes them.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet};

use super::visible;
use crate::{finding::Finding, rules::Level};

pub(super) fn render(findings: &[Finding], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let one = |finding: &Finding| {
        let shown = Shown::new(finding);
        format!("{}\n\n", renderer.render(&[shown.group(finding)]))
    };
    findings.iter().map(one).collect()
}

/// The texts of a finding as a terminal may have them.
struct Shown {
    message: String,
    file: String,
    caption: String,
    help: Vec<String>,
    line: String,
    range: Range<usize>,
}

impl Shown {
    fn new(finding: &Finding) -> Self {
        let text = |text: &str| visible(text).into_owned();
        let (line, range) = finding.place.as_ref().map_or((String::new(), 0..0), |place| {
            let part = |range: Range<usize>| source(place.text.get(range).unwrap_or_default());
            let before = part(0..place.range.start);
            let marked = part(place.range.clone());
            let range = before.len()..before.len() + marked.len();
            (before + &marked + &part(place.range.end..place.text.len()), range)
        });
        Self {
            message: text(&finding.message),
            file: text(&finding.file),
            caption: text(&finding.caption),
            help: finding.help.iter().map(|help| text(help)).collect(),
            line,
            range,
        }
    }

    fn group<'a>(&'a self, finding: &'a Finding) -> Group<'a> {
        let level = match finding.level {
            Level::Error => Title::ERROR,
            Level::Warning => Title::WARNING,
            Level::Note | Level::Off => Title::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(&*self.message).id(finding.rule.name()));
        group = match &finding.place {
            Some(place) => {
                let mark = AnnotationKind::Primary.span(self.range.clone());
                let mark = if self.caption.is_empty() { mark } else { mark.label(&*self.caption) };
                let snippet = Snippet::source(&*self.line).line_start(place.line).path(&*self.file);
                group.element(snippet.annotation(mark))
            }
            None => group.element(Origin::path(&*self.file)),
        };
        self.help.iter().fold(group, |group, help| group.element(Title::HELP.message(&**help)))
    }
}

/// A part of a source, one column for each character.
fn source(text: &str) -> String {
    text.chars().map(|c| if c != '\t' && super::is_harmful(c) { '\u{fffd}' } else { c }).collect()
}
