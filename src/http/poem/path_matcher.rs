//! Which paths fit a route template of poem. Needed for requests that lost their template on the way.
//!
//! A panic, a dropped future and a middleware that answers in the router's place leave no `PathPattern`. Such a request is counted
//! under the most specific template that its path fits, of those that the middleware has seen. A client can cause this as often as it
//! likes, so it has to be cheap: one walk along the path, and a regex only if everything before it fits.

use std::sync::OnceLock;

use regex::Regex;

/// Longer paths are not looked at: nobody routes them, and a client could make them costly.
const LONGEST_PATH: usize = 1024;

/// A template, taken apart as poem's router does it.
#[derive(Debug)]
pub(crate) struct PathMatcher {
    pieces: Vec<Piece>,
    /// How specific it is, piece by piece and for literals byte by byte.
    rank: Vec<Rank>,
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Parameter,
    /// The source, and the pattern once it was needed; `None` if it is not valid.
    Regex(String, OnceLock<Option<Regex>>),
    CatchAll,
}

/// In the order in which poem's router tries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Literal,
    Regex,
    Parameter,
    CatchAll,
}

impl PathMatcher {
    /// For `/users/:id`, `/files/*rest`, `/n/:n<\d+>`, `/n/<\d+>`. `None` if the text is not a template.
    pub(crate) fn new(template: &str) -> Option<Self> {
        if !template.starts_with('/') {
            return None;
        }
        let (mut pieces, mut rank) = (Vec::new(), Vec::new());
        let mut rest = template;
        while let Some(first) = rest.chars().next() {
            rest = match first {
                '*' => {
                    pieces.push(Piece::CatchAll);
                    rank.push(Rank::CatchAll);
                    ""
                }
                ':' | '<' => {
                    let name = rest.find(['/', '<', '*']).unwrap_or(rest.len());
                    let after = rest.get(name..).unwrap_or_default();
                    if let Some(pattern) = after.strip_prefix('<') {
                        // As in poem, the first `>` closes.
                        let (source, after) = pattern.split_once('>')?;
                        pieces.push(Piece::Regex(source.to_owned(), OnceLock::new()));
                        rank.push(Rank::Regex);
                        after
                    } else {
                        pieces.push(Piece::Parameter);
                        rank.push(Rank::Parameter);
                        after
                    }
                }
                _ => {
                    let length = rest.find([':', '<', '*']).unwrap_or(rest.len());
                    let (literal, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
                    pieces.push(Piece::Literal(literal.to_owned()));
                    rank.extend(std::iter::repeat_n(Rank::Literal, literal.len()));
                    after
                }
            };
        }
        Some(Self { pieces, rank })
    }

    /// The rank of the template if the path fits it: the lower, the more specific.
    pub(crate) fn rank(&self, path: &str) -> Option<&[Rank]> {
        (path.len() <= LONGEST_PATH && self.fits(path)).then_some(&self.rank)
    }

    fn fits(&self, mut path: &str) -> bool {
        for piece in &self.pieces {
            let segment = path.split('/').next().unwrap_or_default();
            path = match piece {
                Piece::Literal(text) => match path.strip_prefix(text.as_str()) {
                    Some(rest) => rest,
                    None => return false,
                },
                Piece::CatchAll => return true,
                // As in poem: a parameter also fits an empty segment between two slashes, but not the end of the path.
                Piece::Parameter | Piece::Regex(..) if path.is_empty() => return false,
                Piece::Parameter => path.get(segment.len()..).unwrap_or_default(),
                Piece::Regex(source, pattern) => {
                    // As in poem: the pattern is searched for in the whole rest, and takes as many bytes as it has found.
                    let pattern = pattern.get_or_init(|| Regex::new(source).ok());
                    match pattern.as_ref().and_then(|pattern| pattern.find(path)) {
                        Some(found) => path.get(found.len()..).unwrap_or_default(),
                        None => return false,
                    }
                }
            };
        }
        path.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(templates: &[&'a str], path: &str) -> Option<&'a str> {
        let matchers: Vec<_> = templates.iter().filter_map(|text| Some((*text, PathMatcher::new(text)?))).collect();
        let fits = matchers.iter().filter_map(|(text, matcher)| Some((matcher.rank(path)?, *text)));
        fits.min_by(|a, b| a.0.cmp(b.0)).map(|(_, text)| text)
    }

    #[test]
    fn the_most_specific_template_that_fits_wins() {
        let templates = [
            "/users/:id",
            "/users/me",
            "/users/:n<^\\d+$>",
            "/users/*rest",
            "/",
            "unmatched",
            "/a.b",
            "/n/<^[a-z]{2}>/x",
            "/:page",
            "/@:user",
            "/v:n/x",
            "/:id/x",
            "/files/:x",
            "/files/a*rest",
            "/m/:n<[^<]+>",
            "/e/:n<.*>",
            "/p/:a/:b",
            "/api/",
            "/api/:x",
        ];
        for (path, expected) in [
            ("/users/me", Some("/users/me")),
            ("/users/7", Some("/users/:n<^\\d+$>")),
            ("/users/ada", Some("/users/:id")),
            ("/users/ada/x", Some("/users/*rest")),
            ("/users/", Some("/users/*rest")),
            ("/", Some("/")),
            ("/a.b", Some("/a.b")),
            ("/axb", Some("/:page")),
            ("/n/ab/x", Some("/n/<^[a-z]{2}>/x")),
            ("/n/abc/x", None),
            ("unmatched", None),
            ("/@ada", Some("/@:user")),
            ("/v1/x", Some("/v:n/x")),
            ("/w/x", Some("/:id/x")),
            ("/files/abc", Some("/files/a*rest")),
            ("/files/xyz", Some("/files/:x")),
            ("/m/7", Some("/m/:n<[^<]+>")),
            ("/e/", None),
            ("/p//7", Some("/p/:a/:b")),
            ("/p/7/", None),
            ("/api", Some("/:page")),
            ("/api/", Some("/api/")),
            ("/api/7", Some("/api/:x")),
        ] {
            assert_eq!(best(&templates, path), expected, "{path}");
        }
        assert_eq!(best(&["/*rest"], &format!("/{}", "x".repeat(LONGEST_PATH))), None, "longer than anybody routes");
    }

    #[test]
    fn what_is_no_template_fits_nothing() {
        for template in ["/x/:n<\\d+", "", "unknown", "x/:id"] {
            assert!(PathMatcher::new(template).is_none(), "{template}");
        }
        assert_eq!(best(&["/x/:n<[>"], "/x/1"), None);
    }
}
