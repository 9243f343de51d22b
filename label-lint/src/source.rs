//! From a path to a syntax tree; every way in which that fails is a finding of its own.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree, token_stream::IntoIter};

use crate::rules::Rule;

/// Larger files are reported, not parsed, unless `--max-bytes` says otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 16 << 20;

/// How deep a parser may recurse for one file; see [`depth`].
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

/// Makes a byte order mark and a `#!` line comments or spaces of the same length, so that places stay right.
fn blank_preamble(text: &mut String) {
    if text.starts_with('\u{feff}') {
        text.replace_range(..3, "   ");
    }
    let start = text.len() - text.trim_start().len();
    if text[start..].starts_with("#!") && !text[start + 2..].trim_start().starts_with('[') {
        text.replace_range(start..start + 2, "//");
    }
}

/// Parses a file. Call it on a thread with [`STACK`].
pub fn parse(text: &str) -> Result<syn::File, Problem> {
    proc_macro2::extra::invalidate_current_thread_spans();
    let problem = |message: String, range| Problem {
        rule: Rule::ParseError,
        message,
        range,
        help: "exclude it if it is a template or a fixture".to_owned(),
    };
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            let message = "this file is not Rust: a bracket, a string or a comment does not end".to_owned();
            problem(message, Some(error.span().byte_range()))
        })?;
        let may_be_deep = text.len() > MAX_DEPTH / BRACKET_COST;
        if let Some(range) = may_be_deep.then(|| too_deep(tokens.clone())).flatten() {
            return Err(Problem {
                rule: Rule::NestingTooDeep,
                message: "this file is nested too deeply from here on: not checked".to_owned(),
                range: Some(range),
                help: "split the expression, or exclude the file if it is generated".to_owned(),
            });
        }
        syn::parse2(tokens).map_err(|error: syn::Error| {
            let range = error.span().byte_range();
            let range = if range == (0..0) { text.len()..text.len() } else { range };
            problem(format!("this file is not Rust: {error}"), Some(range))
        })
    }));
    parsed.unwrap_or_else(|_| Err(problem("the parser panics on this file".to_owned(), None)))
}

/// Where a parser would recurse deeper than [`MAX_DEPTH`].
///
/// Brackets nest, and so do operators (`!!!x`, `a + b + c`, `if .. else if ..`), at most one level a token. A `;` ends
/// that, a `,` too, except for generics (`A<B, A<B, ..`) and closures, and so does a block unless something goes on
/// behind it.
fn too_deep(tokens: TokenStream) -> Option<Range<usize>> {
    struct Level {
        rest: IntoIter,
        above: usize,
        run: usize,
        open: usize,
        after_block: bool,
    }
    let level =
        |tokens: TokenStream, above| Level { rest: tokens.into_iter(), above, run: 0, open: 0, after_block: false };
    let mut levels = vec![level(tokens, 0)];
    while let Some(top) = levels.last_mut() {
        let Some(token) = top.rest.next() else {
            levels.pop();
            continue;
        };
        if top.after_block && !continues(&token) {
            (top.run, top.open) = (0, 0);
        }
        top.after_block = false;
        top.run += 1;
        if top.above + top.run + top.open > MAX_DEPTH {
            return Some(token.span().byte_range());
        }
        match token {
            TokenTree::Group(group) => {
                top.after_block = group.delimiter() == Delimiter::Brace;
                let above = top.above + top.run + top.open + BRACKET_COST;
                levels.push(level(group.stream(), above));
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ';' => (top.run, top.open) = (0, 0),
                ',' => top.run = 0,
                '<' if punct.spacing() == Spacing::Alone => top.open += 1,
                '|' => top.open += 1,
                _ => {}
            },
            _ => {}
        }
    }
    None
}

/// Whether a token behind a block belongs to the same expression.
fn continues(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(ident) => ident == "else" || ident == "as",
        TokenTree::Punct(punct) => !matches!(punct.as_char(), '#' | '\''),
        TokenTree::Group(_) => true,
        TokenTree::Literal(_) => false,
    }
}
