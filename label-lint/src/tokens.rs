//! Calls in tokens that no parser has put in order: the arguments of macros and the bodies of `macro_rules!`.

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

/// Hands every call in the tokens to `found`, outer ones first.
pub fn search(tokens: TokenStream, found: &mut impl FnMut(Call, Span)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        if let Some(call) = call_before(&tokens[..at], group) {
            found(call, group.span());
        }
        search(group.stream(), found);
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
