//! Expands `macro_rules!` of the tree, so that a wrapper of `counter!` is checked where it is called.
//!
//! Tokens of the call keep their places. Those of the definition get an empty place, which also tells that the macro wrote a name.

use std::{collections::HashMap, rc::Rc};

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use syn::{
    Expr, Pat, Type,
    parse::{Parse, ParseStream, Parser},
};

use crate::{names::CrateId, resolve::CRATE, value::plain};

/// A rule of a macro.
pub struct Rule {
    pattern: Vec<Part>,
    body: Vec<TokenTree>,
}

/// A part of the left side of a rule.
enum Part {
    Token(TokenTree),
    Group(Delimiter, Vec<Self>),
    Variable(String, String),
    Repeat { parts: Vec<Self>, separator: Vec<TokenTree>, is_optional: bool, needs_one: bool },
}

/// What a variable stands for.
#[derive(Clone)]
enum Bound {
    One(Vec<TokenTree>),
    Many(Rc<Vec<Bindings>>),
}

type Bindings = HashMap<String, Bound>;

/// How many tokens an expansion may have.
const MAX_TOKENS: usize = 50_000;

/// The rules of a definition, which is text.
pub fn rules(text: &str) -> Option<Vec<Rule>> {
    let tokens: Vec<TokenTree> = text.parse::<TokenStream>().ok()?.into_iter().collect();
    let mut rules = Vec::new();
    let mut rest = tokens.as_slice();
    while let [
        TokenTree::Group(pattern),
        TokenTree::Punct(equals),
        TokenTree::Punct(greater),
        TokenTree::Group(body),
        after @ ..,
    ] = rest
    {
        if equals.as_char() != '=' || greater.as_char() != '>' {
            return None;
        }
        rules.push(Rule { pattern: parts(pattern.stream())?, body: body.stream().into_iter().collect() });
        rest = match after {
            [TokenTree::Punct(semicolon), after @ ..] if semicolon.as_char() == ';' => after,
            after => after,
        };
    }
    (rest.is_empty() && !rules.is_empty()).then_some(rules)
}

/// What the call of a macro becomes; `None` if no rule fits.
pub fn expand(rules: &[Rule], krate: CrateId, arguments: &TokenStream) -> Option<TokenStream> {
    let tokens: Vec<TokenTree> = arguments.clone().into_iter().collect();
    for rule in rules {
        let mut bindings = Bindings::new();
        if let Some(end) = matched(&rule.pattern, &tokens, 0, &mut bindings)
            && end == tokens.len()
        {
            let mut budget = MAX_TOKENS;
            let tokens = transcribe(&rule.body, &bindings, krate, &mut budget)?;
            return Some(tokens.into_iter().collect());
        }
    }
    None
}

fn parts(stream: TokenStream) -> Option<Vec<Part>> {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut found = Vec::new();
    let mut rest = tokens.as_slice();
    loop {
        rest = match rest {
            [] => return Some(found),
            [
                TokenTree::Punct(dollar),
                TokenTree::Ident(name),
                TokenTree::Punct(colon),
                TokenTree::Ident(kind),
                after @ ..,
            ] if dollar.as_char() == '$' && colon.as_char() == ':' => {
                found.push(Part::Variable(plain(name), kind.to_string()));
                after
            }
            [TokenTree::Punct(dollar), TokenTree::Group(group), after @ ..] if dollar.as_char() == '$' => {
                let (separator, operator, after) = repetition(after)?;
                found.push(Part::Repeat {
                    parts: parts(group.stream())?,
                    separator,
                    is_optional: operator == '?',
                    needs_one: operator == '+',
                });
                after
            }
            [TokenTree::Group(group), after @ ..] => {
                found.push(Part::Group(group.delimiter(), parts(group.stream())?));
                after
            }
            [token, after @ ..] => {
                found.push(Part::Token(token.clone()));
                after
            }
        };
    }
}

/// What stands behind `$(..)`: the separator and the operator.
fn repetition(tokens: &[TokenTree]) -> Option<(Vec<TokenTree>, char, &[TokenTree])> {
    let operator = |token: &TokenTree| match token {
        TokenTree::Punct(punct) if matches!(punct.as_char(), '*' | '+' | '?') => Some(punct.as_char()),
        _ => None,
    };
    if let [first, rest @ ..] = tokens
        && let Some(found) = operator(first)
        && rest.first().and_then(operator).is_none()
    {
        return Some((Vec::new(), found, rest));
    }
    let length = tree_length(tokens, 0);
    let found = tokens.get(length).and_then(operator)?;
    Some((tokens[..length].to_vec(), found, &tokens[length + 1..]))
}

/// How many tokens the compiler takes as one from here: `=>` and `'a` are one.
fn tree_length(tokens: &[TokenTree], at: usize) -> usize {
    const LONG: &[&str] = &[
        "<<=", ">>=", "...", "..=", "=>", "::", "->", "==", "!=", "<=", ">=", "&&", "||", "..", "<<", ">>", "+=", "-=",
        "*=", "/=", "%=", "^=", "&=", "|=", "<-",
    ];
    let Some(TokenTree::Punct(first)) = tokens.get(at) else { return 1 };
    if first.as_char() == '\'' {
        return 2.min(tokens.len() - at);
    }
    let mut text = String::new();
    for token in &tokens[at..] {
        let TokenTree::Punct(punct) = token else { break };
        text.push(punct.as_char());
        if punct.spacing() == Spacing::Alone || text.len() == 3 {
            break;
        }
    }
    LONG.iter().find(|long| text.starts_with(**long)).map_or(1, |long| long.len())
}

fn is_same(a: &TokenTree, b: &TokenTree) -> bool {
    match (a, b) {
        (TokenTree::Ident(a), TokenTree::Ident(b)) => a == b,
        (TokenTree::Punct(a), TokenTree::Punct(b)) => a.as_char() == b.as_char(),
        (TokenTree::Literal(a), TokenTree::Literal(b)) => a.to_string() == b.to_string(),
        _ => false,
    }
}

/// Where the tokens that fit a pattern end.
fn matched(pattern: &[Part], tokens: &[TokenTree], mut at: usize, bindings: &mut Bindings) -> Option<usize> {
    for part in pattern {
        at = match part {
            Part::Token(wanted) => tokens.get(at).filter(|token| is_same(token, wanted)).map(|_| at + 1)?,
            Part::Group(delimiter, parts) => match tokens.get(at)? {
                TokenTree::Group(group) if group.delimiter() == *delimiter => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    let end = matched(parts, &inner, 0, bindings)?;
                    (end == inner.len()).then_some(at + 1)?
                }
                _ => return None,
            },
            Part::Variable(name, kind) => {
                let end = fragment(kind, tokens, at)?;
                let mut found = tokens[at..end].to_vec();
                if kind.starts_with("expr") && found.len() > 1 {
                    found = vec![TokenTree::Group(Group::new(Delimiter::None, found.into_iter().collect()))];
                }
                bindings.insert(name.clone(), Bound::One(found));
                end
            }
            Part::Repeat { parts, separator, is_optional, needs_one } => {
                let (end, rounds) = repeated(parts, separator, *is_optional, tokens, at);
                if *needs_one && rounds.is_empty() {
                    return None;
                }
                let mut names = Vec::new();
                variables(parts, &mut names);
                let rounds = Rc::new(rounds);
                for name in names {
                    bindings.insert(name, Bound::Many(Rc::clone(&rounds)));
                }
                end
            }
        };
    }
    Some(at)
}

fn repeated(
    parts: &[Part],
    separator: &[TokenTree],
    is_optional: bool,
    tokens: &[TokenTree],
    mut at: usize,
) -> (usize, Vec<Bindings>) {
    let mut rounds = Vec::new();
    loop {
        let mut start = at;
        if !rounds.is_empty() {
            let fits = separator.iter().enumerate().all(|(i, one)| tokens.get(at + i).is_some_and(|t| is_same(t, one)));
            if is_optional || !fits {
                break;
            }
            start += separator.len();
        }
        let mut bindings = Bindings::new();
        match matched(parts, tokens, start, &mut bindings) {
            Some(end) if end > at => {
                rounds.push(bindings);
                at = end;
            }
            _ => break,
        }
    }
    (at, rounds)
}

fn variables(parts: &[Part], names: &mut Vec<String>) {
    for part in parts {
        match part {
            Part::Variable(name, _) => names.push(name.clone()),
            Part::Group(_, parts) | Part::Repeat { parts, .. } => variables(parts, names),
            Part::Token(_) => {}
        }
    }
}

/// Where a fragment such as `$x:expr` ends.
fn fragment(kind: &str, tokens: &[TokenTree], at: usize) -> Option<usize> {
    let first = tokens.get(at);
    let is_captured = matches!(first, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None);
    match kind {
        "tt" => first.map(|_| at + tree_length(tokens, at)),
        "ident" => matches!(first, Some(TokenTree::Ident(ident)) if ident != "_").then_some(at + 1),
        "lifetime" => matches!(first, Some(TokenTree::Punct(punct)) if punct.as_char() == '\'').then_some(at + 2),
        "literal" => match first? {
            TokenTree::Literal(_) => Some(at + 1),
            TokenTree::Ident(ident) if ident == "true" || ident == "false" => Some(at + 1),
            TokenTree::Punct(minus) if minus.as_char() == '-' => {
                matches!(tokens.get(at + 1), Some(TokenTree::Literal(_))).then_some(at + 2)
            }
            _ => None,
        },
        "block" => {
            matches!(first, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace).then_some(at + 1)
        }
        "vis" => parsed::<syn::Visibility>(tokens, at),
        _ if is_captured => Some(at + 1),
        "expr" | "expr_2021" => {
            // `=> ` begins no expression, and the parser need not look at the rest.
            first?;
            parsed::<Expr>(tokens, at)
        }
        "ty" => parsed::<Type>(tokens, at),
        "path" => parsed::<syn::Path>(tokens, at),
        "pat" => parsed_by(Pat::parse_multi_with_leading_vert, tokens, at),
        "pat_param" => parsed_by(Pat::parse_single, tokens, at),
        "item" => parsed::<syn::Item>(tokens, at),
        "meta" => parsed::<syn::Meta>(tokens, at),
        "stmt" => parsed::<syn::Stmt>(tokens, at).or_else(|| parsed::<Expr>(tokens, at)),
        _ => None,
    }
}

fn parsed<T: Parse>(tokens: &[TokenTree], at: usize) -> Option<usize> {
    parsed_by(T::parse, tokens, at)
}

fn parsed_by<T>(parse: fn(ParseStream<'_>) -> syn::Result<T>, tokens: &[TokenTree], at: usize) -> Option<usize> {
    let rest: TokenStream = tokens[at..].iter().cloned().collect();
    let left = |input: ParseStream<'_>| {
        parse(input)?;
        Ok(input.parse::<TokenStream>()?.into_iter().count())
    };
    left.parse2(rest).ok().map(|left| tokens.len() - left)
}

/// The right side of a rule with its variables replaced.
fn transcribe(body: &[TokenTree], bindings: &Bindings, krate: CrateId, budget: &mut usize) -> Option<Vec<TokenTree>> {
    let mut result = Vec::new();
    let mut rest = body;
    loop {
        *budget = budget.checked_sub(1)?;
        rest = match rest {
            [] => return Some(result),
            [TokenTree::Punct(dollar), TokenTree::Ident(name), after @ ..] if dollar.as_char() == '$' => {
                if name == "crate" {
                    result.push(TokenTree::Ident(Ident::new(&format!("{CRATE}{krate}"), Span::call_site())));
                } else {
                    match bindings.get(&plain(name)) {
                        Some(Bound::One(tokens)) => {
                            *budget = budget.checked_sub(tokens.len())?;
                            result.extend(tokens.iter().cloned());
                        }
                        Some(Bound::Many(_)) => return None,
                        None => result.extend([without_place(&rest[0]), without_place(&rest[1])]),
                    }
                }
                after
            }
            [TokenTree::Punct(dollar), TokenTree::Group(group), after @ ..]
                if dollar.as_char() == '$' && group.delimiter() == Delimiter::Parenthesis =>
            {
                let (separator, _, after) = repetition(after)?;
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for (index, round) in rounds(&inner, bindings)?.into_iter().enumerate() {
                    if index > 0 {
                        result.extend(separator.iter().map(without_place));
                    }
                    result.extend(transcribe(&inner, &round, krate, budget)?);
                }
                after
            }
            [TokenTree::Group(group), after @ ..] => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let inner = transcribe(&inner, bindings, krate, budget)?;
                let mut copy = Group::new(group.delimiter(), inner.into_iter().collect());
                copy.set_span(Span::call_site());
                result.push(TokenTree::Group(copy));
                after
            }
            [token, after @ ..] => {
                result.push(without_place(token));
                after
            }
        };
    }
}

/// The bindings of each round of a repetition: those of its variables that repeat.
fn rounds(body: &[TokenTree], bindings: &Bindings) -> Option<Vec<Bindings>> {
    fn used(tokens: &[TokenTree], names: &mut Vec<String>) {
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Punct(dollar) if dollar.as_char() == '$' => {
                    if let Some(TokenTree::Ident(name)) = tokens.get(at + 1) {
                        names.push(plain(name));
                    }
                }
                TokenTree::Group(group) => used(&group.stream().into_iter().collect::<Vec<_>>(), names),
                _ => {}
            }
        }
    }
    let mut names = Vec::new();
    used(body, &mut names);
    let repeating = names.iter().filter_map(|name| match bindings.get(name) {
        Some(Bound::Many(rounds)) => Some(&**rounds),
        _ => None,
    });
    let length = repeating.map(Vec::len).max()?;
    let round = |index: usize| {
        let mut round = Bindings::new();
        for name in &names {
            let bound = match bindings.get(name) {
                Some(Bound::Many(rounds)) => rounds.get(index).and_then(|round| round.get(name)),
                one => one,
            };
            if let Some(bound) = bound {
                round.insert(name.clone(), bound.clone());
            }
        }
        round
    };
    Some((0..length).map(round).collect())
}

/// A token of the definition: its place is empty.
fn without_place(token: &TokenTree) -> TokenTree {
    let mut token = match token {
        TokenTree::Punct(punct) => TokenTree::Punct(Punct::new(punct.as_char(), punct.spacing())),
        TokenTree::Literal(literal) => {
            let copy: Literal = literal.clone();
            TokenTree::Literal(copy)
        }
        other => other.clone(),
    };
    token.set_span(Span::call_site());
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_tried_in_order_and_repetitions_nest() {
        let expanded = |text: &str, call: &str| {
            let rules = rules(text).unwrap();
            expand(&rules, 7, &call.parse().unwrap()).map(|tokens| tokens.to_string().replace(' ', ""))
        };
        let forward = "($($rest:tt)*) => { metrics::counter!($($rest)*) };";
        assert_eq!(expanded(forward, r#""x", "k" => v"#).unwrap(), r#"metrics::counter!("x","k"=>v)"#);
        let pairs = "($name:expr $(, $key:literal => $value:expr)* $(,)?) => { m!($name $(, $key => $value)*) }";
        assert_eq!(expanded(pairs, r#"a.b, "k" => f(1, 2), "l" => 3,"#).unwrap(), r#"m!(a.b,"k"=>f(1,2),"l"=>3)"#);
        let two = "() => { none }; ($($a:ident: [$($b:tt),*]);+) => { $($a { $($b)* $crate })+ }";
        assert_eq!(expanded(two, "").unwrap(), "none");
        assert_eq!(expanded(two, "x: [1, 2]; y: []").unwrap(), "x{12__label_lint_crate_7}y{__label_lint_crate_7}");
        assert_eq!(expanded(two, "x = 1"), None);
        assert_eq!(expanded("($a:ident) => { $a }", "1"), None);
    }
}
