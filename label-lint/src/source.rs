//! Reads and parses a file. Each way in which that can fail is a finding of its own.

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

use crate::{outline, pieces::MAX_PIECE, rules::Rule};

/// Larger files are reported, not parsed, unless `--max-bytes` says otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 16 << 20;

/// How deep a parser may recurse for one file; see [`too_deep`].
const MAX_DEPTH: usize = 10_000;
/// How many tokens a pair of brackets counts as, roughly: a parser goes through a dozen functions for it.
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

/// Replaces a byte order mark, a `#!` line and the manifest of a script by spaces, so that places stay right.
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

/// The problem of an item that is too large to be parsed.
pub fn too_large(part: &str) -> Problem {
    Problem {
        rule: Rule::FileTooLarge,
        message: format!("this item has {} bytes, more than the limit of {MAX_PIECE}: not checked", part.len()),
        range: Some(0..part.find('\n').unwrap_or(part.len()).min(200)),
        help: "exclude the file if it is generated, or split the item".to_owned(),
    }
}

/// Parses a file but for the bodies of its functions. Call it on a thread with [`STACK`].
pub fn parse_outline(text: &str, is_fragment: bool) -> Result<Vec<syn::Item>, Problem> {
    let outline = if is_fragment { None } else { outline::without_bodies(text) };
    // A problem is reported for the text as it is, with its bodies.
    match outline.map(|outline| parse(&outline, false)) {
        Some(Ok(items)) => Ok(items),
        _ => parse(text, is_fragment),
    }
}

/// Parses a file. Call it on a thread with [`STACK`].
pub fn parse(text: &str, is_fragment: bool) -> Result<Vec<syn::Item>, Problem> {
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
        // A copy makes the parser copy all tokens, so only what may have to be parsed again has one.
        let again = is_fragment.then(|| tokens.clone());
        let mut depth = None;
        let file = |input: ParseStream<'_>| {
            depth = too_deep(input.cursor());
            if depth.is_some() { Err(input.error("too deep")) } else { input.parse::<syn::File>() }
        };
        let file = file.parse2(tokens);
        match (file, again.filter(|_| depth.is_none())) {
            (Ok(file), _) => Ok(file.items),
            (Err(_), Some(tokens)) => statements(tokens)
                .map_err(|error| problem(format!("this file is not Rust: {error}"), Some(error.span().byte_range()))),
            (Err(error), None) => {
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
