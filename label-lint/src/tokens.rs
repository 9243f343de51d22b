//! Finds calls in tokens that cannot be parsed: the arguments of macros and the bodies of `macro_rules!`.

use std::{collections::HashSet, ops::Range};

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::value::{Path, plain};

/// What stands for the variable `$name` of a macro.
const VARIABLE: &str = "__macro_variable_";

/// A call found in tokens.
pub enum Call {
    /// `path!(..)`
    Macro(Path, TokenStream),
    /// `path(..)`
    Function(Path, TokenStream),
    /// `path.method(..)`; the path is empty when the receiver is something else.
    Method(Path, String, TokenStream),
    /// `{ .. }` that belongs to none of these.
    Block(TokenStream),
}

/// The name of a variable of a macro, if the identifier stands for one.
pub fn variable(ident: &str) -> Option<&str> {
    ident.strip_prefix(VARIABLE)
}

/// Replaces `$crate` by `crate`, `$name` by an identifier, and `$(..)*` by what is in it, so that the rest parses.
pub fn without_variables(tokens: TokenStream) -> TokenStream {
    let mut result = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '$' => match rest.next() {
                Some(TokenTree::Ident(ident)) if ident == "crate" => result.push(TokenTree::Ident(ident)),
                Some(TokenTree::Ident(ident)) => {
                    let name = format!("{VARIABLE}{}", plain(&ident));
                    result.push(TokenTree::Ident(Ident::new(&name, ident.span())));
                }
                Some(TokenTree::Group(group)) => {
                    result.extend(without_variables(group.stream()));
                    let is_repetition = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if matches!(punct.as_char(), '*' | '+' | '?'));
                    if rest.next().is_some_and(|token| !is_repetition(&token)) {
                        rest.next();
                    }
                }
                other => result.extend(other),
            },
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_variables(group.stream()));
                inner.set_span(group.span());
                result.push(TokenTree::Group(inner));
            }
            other => result.push(other),
        }
    }
    result.into_iter().collect()
}

/// Hands every call in the tokens to `found`, outer ones first; it says whether to go on within the call.
pub fn search(tokens: TokenStream, found: &mut impl FnMut(Call, Span) -> bool) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let is_block = group.delimiter() == Delimiter::Brace;
        let call = call_before(&tokens[..at], group).or_else(|| is_block.then(|| Call::Block(group.stream())));
        let goes_on = call.is_none_or(|call| found(call, group.span()));
        if goes_on {
            search(group.stream(), found);
        }
    }
}

fn call_before(before: &[TokenTree], group: &Group) -> Option<Call> {
    if let [path @ .., TokenTree::Punct(bang)] = before
        && bang.as_char() == '!'
    {
        let (path, _) = path_at_end(path);
        return (!path.is_empty()).then(|| Call::Macro(path, group.stream()));
    }
    if group.delimiter() != Delimiter::Parenthesis {
        return None;
    }
    let (mut path, rest) = path_at_end(before);
    let last = path.pop()?;
    if let [receiver @ .., TokenTree::Punct(dot)] = rest
        && dot.as_char() == '.'
    {
        return path.is_empty().then(|| Call::Method(path_at_end(receiver).0, last, group.stream()));
    }
    path.push(last);
    Some(Call::Function(path, group.stream()))
}

/// The path that the tokens end with, and the tokens before it.
fn path_at_end(mut tokens: &[TokenTree]) -> (Path, &[TokenTree]) {
    let mut path = Path::new();
    while let [rest @ .., TokenTree::Ident(ident)] = tokens {
        path.insert(0, plain(ident));
        tokens = rest;
        let [rest @ .., TokenTree::Punct(first), TokenTree::Punct(second)] = tokens else { break };
        if first.as_char() != ':' || second.as_char() != ':' {
            break;
        }
        tokens = rest;
        if !matches!(tokens.last(), Some(TokenTree::Ident(_))) {
            path.insert(0, "::".to_owned());
            break;
        }
    }
    (path, tokens)
}

/// Whether a variable of a macro is in the tokens.
pub fn has_variable(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => variable(&ident.to_string()).is_some(),
        TokenTree::Group(group) => has_variable(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// The names of constants and statics that the tokens define.
pub fn defined(tokens: TokenStream, names: &mut HashSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1)) {
            (TokenTree::Ident(word), Some(TokenTree::Ident(name)))
                if ["const", "static", "let", "mut", "ref", "use", "as", "for"].iter().any(|one| word == one) =>
            {
                names.insert(plain(name));
            }
            (TokenTree::Group(group), _) => defined(group.stream(), names),
            _ => {}
        }
    }
}

/// Where tokens are that the source of the call wrote: those of a macro's definition have no place.
pub fn place(tokens: TokenStream) -> Option<Range<usize>> {
    let mut all: Option<Range<usize>> = None;
    for token in tokens {
        let range = match token {
            TokenTree::Group(group) => {
                let open = group.span_open().byte_range();
                if open.is_empty() || group.delimiter() == Delimiter::None {
                    place(group.stream())
                } else {
                    Some(open.start..group.span_close().byte_range().end)
                }
            }
            other => Some(other.span().byte_range()).filter(|range| !range.is_empty()),
        };
        all = match (all, range) {
            (Some(all), Some(range)) => Some(all.start.min(range.start)..all.end.max(range.end)),
            (all, range) => all.or(range),
        };
    }
    all
}

/// How many tokens there are.
pub fn count(tokens: TokenStream) -> usize {
    let one = |token| match token {
        TokenTree::Group(group) => 1 + count(group.stream()),
        _ => 1,
    };
    tokens.into_iter().map(one).sum()
}
