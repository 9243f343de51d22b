//! `// label-lint: allow(name, ..) reason` comments.

use std::{ops::Range, sync::Arc};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::{
    finding::{Finding, Place, Text},
    rules::Rule,
};

/// What every directive starts with, behind the slashes.
const MARKER: &str = "label-lint:";

struct Allow {
    /// The lines that it applies to; `None` for the whole file.
    lines: Option<Vec<Range<usize>>>,
    names: Vec<(String, Range<usize>, bool)>,
}

/// Drops the findings that comments allow, and adds findings about the comments themselves.
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
        let is_meant = |place: &Place, lines: &[Range<usize>]| lines.iter().any(|range| range.contains(&place.line));
        if let Some(lines) = &self.lines
            && finding.place.as_ref().is_none_or(|place| !is_meant(place, lines))
        {
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
    let tokens = all_tokens(text.source);
    let starts = &text.starts;
    let mut allows = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(text.source.len(), |next| next - 1);
        let Some(comment) = comment(text.source, *start..end, &tokens) else { continue };
        let bad =
            |rule, message: &str, help: &str| about(rule, text, display, comment.clone(), message.to_owned(), help);
        let Some((names, reason, is_file)) = directive(text.source, comment.clone()) else {
            let help = "write `// label-lint: allow(label) reason`; a rule's name may stand for the label";
            findings.push(bad(Rule::MalformedAllow, "this `label-lint:` comment cannot be read", help));
            continue;
        };
        if reason.is_empty() {
            let help = "say behind the bracket why this label is no danger";
            findings.push(bad(Rule::AllowWithoutReason, "this `allow` gives no reason", help));
        }
        let lines = (!is_file).then(|| lines_meant(text, index, &tokens));
        allows.push(Allow { lines, names: names.into_iter().map(|(name, range)| (name, range, false)).collect() });
    }
    allows
}

/// The range of the directive's comment on a line: it follows the last token of the line.
fn comment(text: &str, line: Range<usize>, tokens: &[Token]) -> Option<Range<usize>> {
    let marker = line.start + text[line.clone()].find(MARKER)?;
    let before = &text[line.start..marker];
    let slashes = line.start + before.trim_end().strip_suffix("//")?.len();
    let inside_a_token = tokens.iter().any(|token| token.range.start <= slashes && slashes < token.range.end);
    let end = line.start + text[line].trim_end().len();
    (!inside_a_token).then_some(slashes..end)
}

type Names = Vec<(String, Range<usize>)>;

/// The names and the reason of `// label-lint: allow(name, ..) reason`, and whether it is `allow-file`.
fn directive(text: &str, comment: Range<usize>) -> Option<(Names, &str, bool)> {
    let body = text[comment].trim_start_matches('/').trim_start().strip_prefix(MARKER)?.trim_start();
    let body = body.strip_prefix("allow")?;
    let is_file = body.starts_with("-file");
    let list = body.strip_prefix("-file").unwrap_or(body).trim_start().strip_prefix('(')?;
    let (list, reason) = list.split_once(')')?;
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    let names: Names =
        list.split(',').map(str::trim).map(|name| (name.to_owned(), offset(name)..offset(name) + name.len())).collect();
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
    };
    names.iter().all(|(name, _)| is_name(name)).then_some((
        names,
        reason.trim_matches([' ', '\t', ':', '-', '.']),
        is_file,
    ))
}

/// A token, or a bracket.
struct Token {
    range: Range<usize>,
    /// How many brackets are around it. A bracket is not around itself.
    depth: usize,
    /// What ends a statement, an argument or a field: `;`, `,`, a bracket that opens or closes.
    kind: Kind,
    /// Whether it continues an expression that ended in a block: `else`, `.method()`, `?`.
    continues: bool,
    is_function: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    /// The end of a block.
    CloseBrace,
    Semicolon,
    Comma,
    Other,
}

/// The lines, from 1, that a comment on the line with this index applies to: those of the statement (or the argument, or the
/// field) that ends before it on the line. If the comment has the line for itself, those of the next one. It does not apply to
/// statements inside of that one.
fn lines_meant(text: &Text<'_>, index: usize, tokens: &[Token]) -> Vec<Range<usize>> {
    let line_of = |offset: usize| text.line(offset) - 1;
    let on_line =
        |token: &&Token| line_of(token.range.start) <= index && index <= line_of(token.range.end.saturating_sub(1));
    let own = tokens.iter().rposition(|token| on_line(&token));
    let (start, own_line) = match own {
        Some(last) => (last, index),
        None => {
            let Some(next) = tokens.iter().position(|token| line_of(token.range.start) > index) else {
                return Vec::new();
            };
            (next, line_of(tokens[next].range.start))
        }
    };
    let mut lines: Vec<Range<usize>> = std::iter::once(own_line + 1..own_line + 2).collect();
    for token in statement(tokens, start, own.is_some()) {
        let first = line_of(token.range.start) + 1;
        lines.push(first..line_of(token.range.end.saturating_sub(1)) + 2);
    }
    lines
}

/// The tokens of the statement around one, without the blocks in it that have statements of their own.
fn statement(tokens: &[Token], at: usize, is_end: bool) -> Vec<&Token> {
    // An opening bracket at the end of a line begins a statement inside of it. A closing one ends the statement around it.
    let depth = tokens[at].depth;
    let ends = |token: &Token| token.depth == depth && matches!(token.kind, Kind::Semicolon | Kind::Comma);
    let leaves = |token: &Token| token.depth < depth;
    let mut first = at;
    while let Some(before) = first.checked_sub(1) {
        let token = &tokens[before];
        let is_block_end = token.depth == depth && token.kind == Kind::CloseBrace && begins(tokens, first);
        if leaves(token) || ends(token) || is_block_end {
            break;
        }
        first = before;
    }
    if !is_end {
        first = at;
    }
    let mut last = at;
    while last + 1 < tokens.len() {
        let token = &tokens[last];
        let is_block_end = token.depth == depth && token.kind == Kind::CloseBrace && begins(tokens, last + 1);
        if ends(token) || is_block_end || leaves(&tokens[last + 1]) {
            break;
        }
        last += 1;
    }
    without_blocks(&tokens[first..=last])
}

/// Whether the token behind a block starts another statement.
fn begins(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_none_or(|token| token.kind == Kind::Other || token.kind == Kind::Open)
        && tokens.get(at).is_none_or(|token| !token.continues)
}

/// The tokens of a statement outside of the blocks in it that hold statements.
fn without_blocks(tokens: &[Token]) -> Vec<&Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        kept.push(token);
        at += 1;
        if token.kind != Kind::Open {
            continue;
        }
        let close = tokens[at..].iter().position(|inner| inner.depth == token.depth);
        let close = close.map_or(tokens.len(), |close| at + close);
        let is_block = tokens.get(close).is_some_and(|token| token.kind == Kind::CloseBrace)
            && tokens[at..close].iter().any(|inner| inner.depth == token.depth + 1 && inner.is_statement());
        if is_block {
            at = close;
        }
    }
    kept
}

/// All tokens. A group is its opening bracket, its content and its closing bracket.
fn all_tokens(text: &str) -> Vec<Token> {
    fn add(stream: TokenStream, depth: usize, all: &mut Vec<Token>) {
        for token in stream {
            match token {
                TokenTree::Group(group) => {
                    let close = if group.delimiter() == Delimiter::Brace { Kind::CloseBrace } else { Kind::Close };
                    all.push(Token::new(group.span_open().byte_range(), depth, Kind::Open));
                    add(group.stream(), depth + 1, all);
                    all.push(Token::new(group.span_close().byte_range(), depth, close));
                }
                TokenTree::Punct(punct) => {
                    let kind = match punct.as_char() {
                        ';' => Kind::Semicolon,
                        ',' => Kind::Comma,
                        _ => Kind::Other,
                    };
                    let mut token = Token::new(punct.span().byte_range(), depth, kind);
                    token.continues =
                        matches!(punct.as_char(), '.' | '?' | '=' | '+' | '-' | '*' | '/' | '&' | '|' | '<' | '>');
                    all.push(token);
                }
                TokenTree::Ident(ident) => {
                    let mut token = Token::new(ident.span().byte_range(), depth, Kind::Other);
                    token.continues = ident == "else" || ident == "as";
                    token.is_function = ident == "fn";
                    all.push(token);
                }
                TokenTree::Literal(literal) => all.push(Token::new(literal.span().byte_range(), depth, Kind::Other)),
            }
        }
    }
    let mut tokens = Vec::new();
    if let Ok(stream) = text.parse::<TokenStream>() {
        add(stream, 0, &mut tokens);
    }
    tokens
}

impl Token {
    const fn new(range: Range<usize>, depth: usize, kind: Kind) -> Self {
        Self { range, depth, kind, continues: false, is_function: false }
    }

    /// Whether a block with this token in it holds statements or items.
    fn is_statement(&self) -> bool {
        self.kind == Kind::Semicolon || self.is_function
    }
}

fn about(rule: Rule, text: &Text<'_>, display: &Arc<str>, at: Range<usize>, message: String, help: &str) -> Finding {
    let finding = Finding::of_file(rule, display.clone(), message);
    Finding { place: Some(Place::new(text, at)), help: vec![help.to_owned()], ..finding }
}
