//! `// label-lint: allow(name, ..) reason` comments.

use std::{ops::Range, sync::Arc};

use proc_macro2::{TokenStream, TokenTree};

use crate::{
    finding::{Finding, Place, Text},
    rules::Rule,
};

/// What every directive starts with, behind the slashes.
const MARKER: &str = "label-lint:";

struct Allow {
    /// The line that it speaks of.
    line: usize,
    names: Vec<(String, Range<usize>, bool)>,
}

/// Drops the findings that comments allow, and adds those about the comments themselves.
pub fn apply(text: &Text<'_>, display: &Arc<str>, findings: Vec<Finding>) -> Vec<Finding> {
    if !text.source.contains(MARKER) {
        return findings;
    }
    let mut own = Vec::new();
    let mut allows = read(text, display, &mut own);
    let mut kept: Vec<Finding> =
        findings.into_iter().filter(|finding| !allows.iter_mut().any(|allow| allow.covers(finding))).collect();
    for (name, range, _) in allows.iter().flat_map(|allow| &allow.names).filter(|(.., used)| !used) {
        own.push(about(
            Rule::UnusedAllow,
            text,
            display,
            range.clone(),
            format!("`allow({name})` suppresses nothing"),
            "remove it",
        ));
    }
    kept.append(&mut own);
    kept
}

impl Allow {
    fn covers(&mut self, finding: &Finding) -> bool {
        if finding.place.as_ref().is_none_or(|place| place.line != self.line) {
            return false;
        }
        let mut covered = false;
        for (name, _, used) in &mut self.names {
            if finding.rule.name() == name || finding.label.as_deref() == Some(name) {
                *used = true;
                covered = true;
            }
        }
        covered
    }
}

fn read(text: &Text<'_>, display: &Arc<str>, findings: &mut Vec<Finding>) -> Vec<Allow> {
    let tokens = token_ranges(text.source);
    let starts = &text.starts;
    let mut allows = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(text.source.len(), |next| next - 1);
        let Some(comment) = comment(text.source, *start..end, &tokens) else { continue };
        let bad =
            |rule, message: &str, help: &str| about(rule, text, display, comment.clone(), message.to_owned(), help);
        let Some((names, reason)) = directive(text.source, comment.clone()) else {
            let help = "write `// label-lint: allow(label) reason`; a rule's name may stand for the label";
            findings.push(bad(Rule::MalformedAllow, "this `label-lint:` comment cannot be read", help));
            continue;
        };
        if reason.is_empty() {
            let help = "say behind the bracket why this label is no danger";
            findings.push(bad(Rule::AllowWithoutReason, "this `allow` gives no reason", help));
        }
        let line = line_meant(starts, index, &tokens);
        allows.push(Allow { line, names: names.into_iter().map(|(name, range)| (name, range, false)).collect() });
    }
    allows
}

/// The range of the directive's comment on a line: behind the last token that touches it.
fn comment(text: &str, line: Range<usize>, tokens: &[Range<usize>]) -> Option<Range<usize>> {
    let marker = line.start + text[line.clone()].find(MARKER)?;
    let before = &text[line.start..marker];
    let slashes = line.start + before.trim_end().strip_suffix("//")?.len();
    let inside_a_token = tokens.iter().any(|token| token.start <= slashes && slashes < token.end);
    let end = line.start + text[line].trim_end().len();
    (!inside_a_token).then_some(slashes..end)
}

type Names = Vec<(String, Range<usize>)>;

/// The names and the reason of `// label-lint: allow(name, ..) reason`.
fn directive(text: &str, comment: Range<usize>) -> Option<(Names, &str)> {
    let body = text[comment].trim_start_matches('/').trim_start().strip_prefix(MARKER)?.trim_start();
    let list = body.strip_prefix("allow")?.trim_start().strip_prefix('(')?;
    let (list, reason) = list.split_once(')')?;
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    let names: Names =
        list.split(',').map(str::trim).map(|name| (name.to_owned(), offset(name)..offset(name) + name.len())).collect();
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
    };
    names.iter().all(|(name, _)| is_name(name)).then_some((names, reason.trim_matches([' ', '\t', ':', '-', '.'])))
}

/// The line, from 1, that a comment on the line with this index speaks of: its own if there is code before it, else
/// the next with code.
fn line_meant(starts: &[usize], index: usize, tokens: &[Range<usize>]) -> usize {
    let line_of = |offset: usize| starts.partition_point(|start| *start <= offset) - 1;
    let own = tokens.iter().any(|token| line_of(token.start) <= index && index <= line_of(token.end.saturating_sub(1)));
    if own {
        return index + 1;
    }
    let next = tokens.iter().map(|token| line_of(token.start)).filter(|line| *line > index).min();
    next.unwrap_or(index) + 1
}

/// The ranges of all tokens but the insides of groups count by their brackets.
fn token_ranges(text: &str) -> Vec<Range<usize>> {
    fn add(tokens: TokenStream, ranges: &mut Vec<Range<usize>>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    ranges.push(group.span_open().byte_range());
                    add(group.stream(), ranges);
                    ranges.push(group.span_close().byte_range());
                }
                other => ranges.push(other.span().byte_range()),
            }
        }
    }
    let mut ranges = Vec::new();
    if let Ok(tokens) = text.parse::<TokenStream>() {
        add(tokens, &mut ranges);
    }
    ranges
}

fn about(rule: Rule, text: &Text<'_>, display: &Arc<str>, at: Range<usize>, message: String, help: &str) -> Finding {
    Finding {
        rule,
        file: display.clone(),
        place: Some(Place::new(text, at)),
        message,
        caption: String::new(),
        help: vec![help.to_owned()],
        label: None,
    }
}
