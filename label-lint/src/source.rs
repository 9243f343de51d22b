//! From a path to a syntax tree; every way in which that fails is a finding of its own.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::{
    buffer::Cursor,
    parse::{ParseStream, Parser},
};

use crate::rules::Rule;

/// Larger files are reported, not parsed, unless `--max-bytes` says otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 16 << 20;

/// How deep a parser may recurse for one file; see [`too_deep`].
const MAX_DEPTH: usize = 10_000;
/// What a pair of brackets costs against one token, roughly: a parser goes through a dozen functions for it.
const BRACKET_COST: usize = 8;
/// The stack of the threads that parse. `tests/hostile.rs` shows that it is enough for [`MAX_DEPTH`].
pub const STACK: usize = 512 << 20;

/// Why a file was not checked.
#[derive(Debug)]
pub struct Problem {
    pub rule: Rule,
    pub message: String,
    pub range: Option<Range<usize>>,
    pub help: String,
}

/// Reads a file that is not larger than the limit.
pub fn read(path: &Path, limit: u64) -> Result<String, Problem> {
    let unreadable = |message: String| Problem {
        rule: Rule::UnreadableFile,
        message,
        range: None,
        help: "exclude it if it is no source of this tree".to_owned(),
    };
    let io = |error: std::io::Error| unreadable(format!("this file cannot be read: {error}"));
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > limit {
        return Err(Problem {
            rule: Rule::FileTooLarge,
            message: format!("this file has {size} bytes, more than the limit of {limit}: not checked"),
            range: None,
            help: "raise the limit with `--max-bytes`, or exclude the file if it is generated".to_owned(),
        });
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count() + 1;
        unreadable(format!("this file is not UTF-8: the first bad byte is number {valid}, on line {line}"))
    })?;
    blank_preamble(&mut text);
    Ok(text)
}

/// Makes a byte order mark, a `#!` line and the manifest of a script spaces, so that
/// places stay right.
fn blank_preamble(text: &mut String) {
    if text.starts_with('\u{feff}') {
        text.replace_range(..3, "   ");
    }
    let start = text.len() - text.trim_start().len();
    if text[start..].starts_with("#!") && !text[start + 2..].trim_start().starts_with('[') {
        let end = text[start..].find('\n').map_or(text.len(), |end| start + end);
        text.replace_range(start..end, &" ".repeat(end - start));
    }
    if let Some(range) = frontmatter(text) {
        let blank: String = text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        text.replace_range(range, &blank);
    }
}

/// Where the manifest of a cargo script is: between two lines of `---`, before any code.
fn frontmatter(text: &str) -> Option<Range<usize>> {
    let mut start = 0;
    let mut lines = text.split_inclusive('\n');
    let fence = loop {
        let line = lines.next()?;
        let trimmed = line.trim_end();
        if trimmed.starts_with("---") {
            break &trimmed[..trimmed.len() - trimmed.trim_start_matches('-').len()];
        }
        if !trimmed.trim().is_empty() && !trimmed.starts_with("#!") {
            return None;
        }
        start += line.len();
    };
    let mut end = start + text[start..].find('\n')? + 1;
    for line in lines {
        end += line.len();
        if line.trim_end() == fence {
            return Some(start..end);
        }
    }
    None
}

/// The manifest of a cargo script.
pub fn frontmatter_of(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut start = Vec::new();
    std::fs::File::open(path).ok()?.take(64 << 10).read_to_end(&mut start).ok()?;
    let text = String::from_utf8(start).ok()?;
    let range = frontmatter(&text)?;
    let lines: Vec<&str> = text[range].lines().collect();
    let [_, inner @ .., _] = lines.as_slice() else { return None };
    Some(inner.join("\n"))
}

/// A larger file is parsed item by item, so that its syntax tree is never in memory as a whole.
const WHOLE: usize = 256 << 10;
/// A larger item is not parsed.
pub const MAX_PIECE: usize = 1 << 20;

/// The parts of a file that can be parsed by themselves.
pub fn pieces(text: &str) -> Vec<Range<usize>> {
    if text.len() <= WHOLE {
        return std::iter::once(0..text.len()).collect();
    }
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in item_ends(text) {
        match pieces.last_mut() {
            Some(last) if last.len() + end - start < WHOLE => last.end = end,
            _ => pieces.push(start..end),
        }
        start = end;
    }
    if !text[start..].trim().is_empty() {
        pieces.push(start..text.len());
    }
    pieces
}

/// Where items end: at a `;` outside of all brackets, or at a `}` that nothing continues.
fn item_ends(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut ends = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        at = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !is_word(bytes, at) => raw_string_end(bytes, at).unwrap_or(at + 1),
            b'\'' => character_end(bytes, at),
            b'(' | b'[' | b'{' => {
                depth += 1;
                at + 1
            }
            b')' | b']' => {
                depth = depth.saturating_sub(1);
                at + 1
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && begins_item(text, at + 1) {
                    ends.push(at + 1);
                }
                at + 1
            }
            b';' if depth == 0 => {
                ends.push(at + 1);
                at + 1
            }
            _ => at + 1,
        };
    }
    ends
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end)
}

fn comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Whether the byte before belongs to a word that goes on here; `b` and `c` may stand before a raw string.
fn is_word(bytes: &[u8], at: usize) -> bool {
    let is_part = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    match at.checked_sub(1).map(|before| bytes[before]) {
        Some(b'b' | b'c') => at >= 2 && is_part(bytes[at - 2]),
        Some(byte) => is_part(byte),
        None => false,
    }
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let found = bytes[open + 1..].windows(close.len()).position(|window| window == close);
    Some(found.map_or(bytes.len(), |found| open + 1 + found + close.len()))
}

/// The end of a character, or just behind the quote of a lifetime.
fn character_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at + 1) {
        Some(b'\\') => {
            let close = bytes[at + 3..].iter().take(12).position(|byte| *byte == b'\'');
            close.map_or(at + 2, |close| at + 4 + close)
        }
        Some(_) => {
            let close = bytes[at + 2..].iter().take(4).position(|byte| *byte == b'\'');
            let is_one = close.is_some_and(|close| {
                std::str::from_utf8(&bytes[at + 1..at + 2 + close]).is_ok_and(|text| text.chars().count() == 1)
            });
            if is_one { at + 3 + close.unwrap_or_default() } else { at + 1 }
        }
        None => at + 1,
    }
}

/// Whether what comes next starts an item, and does not go on with the expression or the type before it.
fn begins_item(text: &str, at: usize) -> bool {
    let mut rest = text[at..].trim_start();
    while let Some(comment) = rest.strip_prefix("//") {
        rest = comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    match rest.chars().next() {
        None | Some('#' | '/') => true,
        Some(_) => !word.is_empty() && word != "as" && word != "else",
    }
}

/// That an item is too large to be parsed.
pub fn too_large(part: &str) -> Problem {
    Problem {
        rule: Rule::FileTooLarge,
        message: format!("this item has {} bytes, more than the limit of {MAX_PIECE}: not checked", part.len()),
        range: Some(0..part.find('\n').unwrap_or(part.len()).min(200)),
        help: "exclude the file if it is generated, or split the item".to_owned(),
    }
}

/// Parses a file. Call it on a thread with [`STACK`].
pub fn parse(text: &str, is_fragment: bool) -> Result<Vec<syn::Item>, Problem> {
    parse_with(text, is_fragment, |tokens| tokens)
}

/// Parses a file but for the bodies of its functions, which say nothing about names.
pub fn parse_outline(text: &str, is_fragment: bool) -> Result<Vec<syn::Item>, Problem> {
    parse_with(text, is_fragment, if is_fragment { |tokens| tokens } else { without_bodies })
}

fn parse_with(
    text: &str,
    is_fragment: bool,
    prepare: fn(TokenStream) -> TokenStream,
) -> Result<Vec<syn::Item>, Problem> {
    proc_macro2::extra::invalidate_current_thread_spans();
    let problem = |message: String, range| Problem {
        rule: Rule::ParseError,
        message,
        range,
        help: "exclude it if it is a template or a fixture".to_owned(),
    };
    let deep = |range| Problem {
        rule: Rule::NestingTooDeep,
        message: "this file is nested too deeply from here on: not checked".to_owned(),
        range: Some(range),
        help: "split the expression, or exclude the file if it is generated".to_owned(),
    };
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            let message = "this file is not Rust: a bracket, a string or a comment does not end".to_owned();
            problem(message, Some(error.span().byte_range()))
        })?;
        if let Some(range) = too_many_brackets(text, &tokens) {
            return Err(deep(range));
        }
        let tokens = prepare(tokens);
        let mut depth = None;
        let file = |input: ParseStream<'_>| {
            depth = too_deep(input.cursor());
            if depth.is_some() { Err(input.error("too deep")) } else { input.parse::<syn::File>() }
        };
        let file = file.parse2(tokens.clone());
        match file {
            Ok(file) => Ok(file.items),
            Err(_) if is_fragment && depth.is_none() => statements(tokens)
                .map_err(|error| problem(format!("this file is not Rust: {error}"), Some(error.span().byte_range()))),
            Err(error) => {
                let range = error.span().byte_range();
                let range = if range == (0..0) { text.len()..text.len() } else { range };
                Err(depth.map_or_else(|| problem(format!("this file is not Rust: {error}"), Some(range)), deep))
            }
        }
    }));
    parsed.unwrap_or_else(|_| Err(problem("the parser panics on this file".to_owned(), None)))
}

/// What `include!` takes as an expression, as the body of a function.
fn statements(tokens: TokenStream) -> syn::Result<Vec<syn::Item>> {
    let statements = syn::Block::parse_within.parse2(tokens)?;
    let mut function: syn::ItemFn = syn::parse_str("fn included() {}")?;
    function.block.stmts = statements;
    Ok(vec![syn::Item::Fn(function)])
}

/// The files that functions of the file's own module include.
pub fn included_by_bodies(text: &str) -> Vec<String> {
    fn search(tokens: TokenStream, in_function: bool, found: &mut Vec<String>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_word = |at: usize, word: &str| matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if ident == word);
        let mut is_body = in_function;
        for (at, token) in tokens.iter().enumerate() {
            is_body |= is_word(at, "fn");
            let TokenTree::Group(group) = token else { continue };
            if at >= 2 && is_word(at - 2, "mod") {
                continue;
            }
            if in_function && at >= 2 && is_word(at - 2, "include") {
                let literal = syn::parse2::<syn::LitStr>(group.stream());
                found.extend(literal.ok().map(|literal| literal.value()));
            }
            search(group.stream(), is_body, found);
        }
    }
    let mut found = Vec::new();
    if text.contains("include!")
        && let Ok(tokens) = text.parse::<TokenStream>()
    {
        search(tokens, false, &mut found);
    }
    found
}

/// The tokens without what is in the braces of functions, but for the files that they include.
fn without_bodies(tokens: TokenStream) -> TokenStream {
    let mut result = Vec::new();
    let mut in_function = false;
    let mut after_bang = false;
    for token in tokens {
        let mut is_bang = false;
        let token = match token {
            TokenTree::Ident(ident) => {
                in_function |= ident == "fn";
                is_bang = after_bang;
                TokenTree::Ident(ident)
            }
            TokenTree::Punct(punct) => {
                in_function &= !matches!(punct.as_char(), ';' | ',' | '=');
                is_bang = punct.as_char() == '!';
                TokenTree::Punct(punct)
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !after_bang => {
                let stream =
                    if std::mem::take(&mut in_function) { TokenStream::new() } else { without_bodies(group.stream()) };
                let mut copy = proc_macro2::Group::new(Delimiter::Brace, stream);
                copy.set_span(group.span());
                TokenTree::Group(copy)
            }
            other => other,
        };
        after_bang = is_bang;
        result.push(token);
    }
    result.into_iter().collect()
}

/// Where brackets nest so deeply that even the parser's copy of the tokens, made before [`too_deep`], would exhaust the
/// stack. Most files do not have as many brackets, let alone nested.
fn too_many_brackets(text: &str, tokens: &TokenStream) -> Option<Range<usize>> {
    const HARMLESS: usize = 50_000;
    if text.bytes().filter(|byte| matches!(byte, b'(' | b'[' | b'{')).count() < HARMLESS {
        return None;
    }
    let mut levels = vec![tokens.clone().into_iter()];
    while let Some(top) = levels.last_mut() {
        match top.next() {
            Some(TokenTree::Group(group)) if levels.len() > MAX_DEPTH / BRACKET_COST => {
                return Some(group.span_open().byte_range());
            }
            Some(TokenTree::Group(group)) => levels.push(group.stream().into_iter()),
            Some(_) => {}
            None => {
                levels.pop();
            }
        }
    }
    None
}

/// Where a parser would recurse deeper than [`MAX_DEPTH`].
///
/// Brackets nest, and so do operators (`!!!x`, `a + b + c`, `if .. else if ..`), at most one level a token. A `;` ends
/// that, a `,` too, except for generics (`A<B, A<B, ..`) and closures, and so does a block unless something goes on
/// behind it.
fn too_deep(start: Cursor<'_>) -> Option<Range<usize>> {
    let mut levels = vec![Level { rest: start, above: 0, run: 0, open: 0, after_block: false }];
    while let Some(top) = levels.last_mut() {
        let here = top.rest;
        let after_block = std::mem::take(&mut top.after_block);
        top.run += 1;
        if let Some((inside, delimiter, _, next)) = here.any_group() {
            top.rest = next;
            top.after_block = delimiter == Delimiter::Brace;
            let above = top.depth() + BRACKET_COST;
            levels.push(Level { rest: inside, above, run: 0, open: 0, after_block: false });
        } else if let Some((punct, next)) = here.punct() {
            top.rest = next;
            match punct.as_char() {
                '#' if after_block => top.restart(),
                ';' => top.restart(),
                ',' => top.run = 0,
                '<' if punct.spacing() == Spacing::Alone => top.open += 1,
                '|' => top.open += 1,
                _ => {}
            }
        } else if let Some((ident, next)) = here.ident() {
            top.rest = next;
            if after_block && ident != "else" && ident != "as" {
                top.restart();
            }
        } else if let Some(next) =
            here.literal().map(|(_, next)| next).or_else(|| here.lifetime().map(|(_, next)| next))
        {
            top.rest = next;
            if after_block {
                top.restart();
            }
        } else {
            levels.pop();
            continue;
        }
        if levels.last().is_some_and(|level| level.depth() > MAX_DEPTH) {
            return Some(here.span().byte_range());
        }
    }
    None
}

/// The inside of a bracket.
struct Level<'a> {
    rest: Cursor<'a>,
    /// The depth of the bracket.
    above: usize,
    /// The tokens since the last that ends what nests.
    run: usize,
    /// The tokens that go on nesting across a `,`.
    open: usize,
    after_block: bool,
}

impl Level<'_> {
    const fn depth(&self) -> usize {
        self.above + self.run + self.open
    }

    const fn restart(&mut self) {
        (self.run, self.open) = (0, 0);
    }
}
