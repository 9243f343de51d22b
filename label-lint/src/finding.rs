//! What the linter reports.

use std::{ops::Range, sync::Arc};

use crate::{
    check::MacroId,
    rules::{Level, Rule},
};

/// A source, and where its lines start: a file may have thousands of findings.
pub struct Text<'a> {
    pub source: &'a str,
    pub starts: Vec<usize>,
}

impl<'a> Text<'a> {
    pub fn new(source: &'a str) -> Self {
        let starts = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { source, starts }
    }

    /// The number of the line of a byte, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.line_of(offset).0
    }

    /// The number of the line, from 1, and where it starts.
    fn line_of(&self, offset: usize) -> (usize, usize) {
        let number = self.starts.partition_point(|start| *start <= offset);
        (number, self.starts[number - 1])
    }
}

/// A place in a source file; lines and columns count from 1, columns in characters.
#[derive(Clone, Debug)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    /// The place in the file, in bytes.
    pub bytes: Range<usize>,
    /// The first line of the place, and the place in it, in bytes.
    pub text: String,
    pub range: Range<usize>,
}

/// How much of a line is kept: a generated file may be one line.
const KEPT: usize = 400;

impl Place {
    /// The place of a range of bytes.
    pub fn new(text: &Text<'_>, range: Range<usize>) -> Self {
        let source = text.source;
        let start = floor(source, range.start);
        let end = floor(source, range.end).max(start);
        let (line, line_start) = text.line_of(start);
        let (end_line, end_line_start) = text.line_of(end);
        let line_end = source[start..].find('\n').map_or(source.len(), |found| start + found);
        let kept_start = if start - line_start > KEPT { floor(source, start - KEPT / 2) } else { line_start };
        let kept_end = floor(source, line_end.min(start + KEPT));
        Self {
            line,
            column: source[line_start..start].chars().count() + 1,
            end_line,
            end_column: source[end_line_start..end].chars().count() + 1,
            bytes: start..end,
            text: source[kept_start..kept_end].trim_end_matches('\r').to_owned(),
            range: start - kept_start..end.min(kept_end) - kept_start,
        }
    }
}

fn floor(source: &str, mut offset: usize) -> usize {
    offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule: Rule,
    pub level: Level,
    /// The file, as it was reached from the argument.
    pub file: Arc<str>,
    /// Where in it; `None` if it is about the file as a whole.
    pub place: Option<Place>,
    pub message: String,
    /// What stands beside the carets.
    pub caption: String,
    pub help: Vec<String>,
    /// The label it is about: what `allow(..)` may name besides the rule.
    pub label: Option<String>,
    /// The macro in whose definition it is, if it depends on the arguments. It is reported only if no call of the macro can be
    /// checked.
    pub until_expanded: Option<MacroId>,
    /// Whether it is only a guess that this is a label at all.
    pub is_guess: bool,
}

impl Finding {
    /// A finding about a file as a whole.
    pub fn of_file(rule: Rule, file: Arc<str>, message: String) -> Self {
        Self {
            rule,
            level: rule.level(),
            file,
            place: None,
            message,
            caption: String::new(),
            help: Vec::new(),
            label: None,
            until_expanded: None,
            is_guess: false,
        }
    }

    /// Errors and warnings by file, line and column.
    pub fn sort_key(&self) -> (Arc<str>, usize, usize, Rule) {
        let (line, column) = self.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        (self.file.clone(), line, column, self.rule)
    }
}
