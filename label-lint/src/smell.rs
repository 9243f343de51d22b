//! Label values that look as if they had no bound, or named a person: ids, email addresses, tokens, raw paths.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Expr, visit::Visit};

use crate::value::plain;

const WORDS: &[(&str, &[&str])] = &[
    ("an id", &["id", "ids", "uid", "uuid", "ulid", "guid"]),
    ("an email address", &["email", "emails"]),
    ("a token or a secret", &["token", "jwt", "secret", "password", "passwd", "cookie", "apikey"]),
    ("a raw path", &["uri", "url", "querystring", "rawpath"]),
];

/// Pairs of words that are suspicious only together.
const PAIRS: &[(&str, &str, &str)] = &[
    ("api", "key", "a token or a secret"),
    ("raw", "path", "a raw path"),
    ("request", "path", "a raw path"),
    ("req", "path", "a raw path"),
    ("query", "string", "a raw path"),
];

/// Receivers whose `.path()` is what the client sent.
const REQUESTS: &[&str] = &["req", "request"];

/// What a value looks like, and the identifier that says so.
pub fn of(expr: &Expr) -> Option<(String, &'static str)> {
    let mut search = Search { found: None };
    search.visit_expr(expr);
    search.found
}

struct Search {
    found: Option<(String, &'static str)>,
}

impl Search {
    fn look_at(&mut self, ident: &str) {
        if self.found.is_none()
            && let Some(what) = of_identifier(ident)
        {
            self.found = Some((ident.to_owned(), what));
        }
    }

    fn look_through(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.look_at(&plain(&ident)),
                TokenTree::Group(group) => self.look_through(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    for part in text.split('{').skip(1) {
                        let end = part.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(part.len());
                        self.look_at(&part[..end]);
                    }
                }
                TokenTree::Punct(_) => {}
            }
        }
    }
}

impl Visit<'_> for Search {
    fn visit_ident(&mut self, ident: &proc_macro2::Ident) {
        self.look_at(&plain(ident));
    }

    fn visit_macro(&mut self, mac: &syn::Macro) {
        self.look_through(mac.tokens.clone());
    }

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        if call.method == "path"
            && let Expr::Path(receiver) = &*call.receiver
            && receiver.path.get_ident().is_some_and(|ident| REQUESTS.iter().any(|request| ident == request))
        {
            self.found.get_or_insert_with(|| ("path".to_owned(), "a raw path"));
        }
        syn::visit::visit_expr_method_call(self, call);
    }
}

/// What an identifier looks like. Constants and types have a bound, whatever they are called.
fn of_identifier(ident: &str) -> Option<&'static str> {
    if ident.starts_with(char::is_uppercase) {
        return None;
    }
    let words: Vec<&str> = ident.split('_').filter(|word| !word.is_empty()).collect();
    let word = words.iter().find_map(|word| WORDS.iter().find(|(_, smelly)| smelly.contains(word)));
    let pair = || PAIRS.iter().find(|(first, second, _)| words.windows(2).any(|pair| pair == [*first, *second]));
    word.map(|(what, _)| *what).or_else(|| pair().map(|(_, _, what)| *what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_smell_by_their_words() {
        let smell = |expr: &str| of(&syn::parse_str(expr).unwrap()).map(|(ident, _)| ident);
        for (expr, ident) in [
            ("user_id", Some("user_id")),
            ("user.id.to_string()", Some("id")),
            ("r#id", Some("id")),
            ("format!(\"{}\", email)", Some("email")),
            ("format!(\"user {user_id:?}\")", Some("user_id")),
            ("auth.api_key()", Some("api_key")),
            ("req.path().to_owned()", Some("path")),
            ("request.uri().path()", Some("uri")),
            ("width", None),
            ("valid", None),
            ("hidden", None),
            ("identity", None),
            ("path", None),
            ("template.path()", None),
            ("BUILD_ID", None),
            ("Uuid::NAME", None),
            ("tokenizer", None),
            ("\"user_id\"", None),
            ("format!(\"{{id}}\")", Some("id")),
        ] {
            assert_eq!(smell(expr).as_deref(), ident, "{expr}");
        }
    }
}
