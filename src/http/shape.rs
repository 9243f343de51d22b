//! What paths fit a route template of poem: for requests that lost their template on the way.
//!
//! A panic, a dropped future and a middleware that answers in the router's place leave no `PathPattern`. Such a request
//! is counted under the most specific template, among those that the middleware has seen, that its path fits.

use regex::Regex;

/// A template as a pattern over whole paths.
#[derive(Debug)]
pub(super) struct Shape {
    pattern: Regex,
    /// How specific each segment is.
    rank: Vec<Rank>,
}

/// In the order in which poem's router tries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Literal,
    Regex,
    Parameter,
    CatchAll,
}

impl Shape {
    /// `/users/:id`, `/files/*rest`, `/n/:n<\d+>`, `/n/<\d+>`; nothing for what is no path or no valid pattern.
    pub(super) fn new(template: &str) -> Option<Self> {
        if !template.starts_with('/') {
            return None;
        }
        let (mut pattern, mut rank) = (String::from("^"), Vec::new());
        let mut rest = template;
        while let Some(first) = rest.chars().next() {
            let (part, kind, length) = match first {
                '*' => (".*".to_owned(), Rank::CatchAll, rest.len()),
                '<' => {
                    let length = closing(rest)?;
                    (format!("(?:{})", &rest[1..length - 1]), Rank::Regex, length)
                }
                ':' => {
                    let name = rest.find(['/', '<']).unwrap_or(rest.len());
                    if rest[name..].starts_with('<') {
                        let length = name + closing(&rest[name..])?;
                        (format!("(?:{})", &rest[name + 1..length - 1]), Rank::Regex, length)
                    } else {
                        ("[^/]+".to_owned(), Rank::Parameter, name)
                    }
                }
                _ => {
                    // A `/` begins a segment of its own, so that ranks are compared segment by segment.
                    let length = rest[1..].find(['/', ':', '<', '*']).map_or(rest.len(), |at| at + 1);
                    (regex::escape(&rest[..length]), Rank::Literal, length)
                }
            };
            pattern.push_str(&part);
            rank.push(kind);
            rest = &rest[length..];
        }
        pattern.push('$');
        Some(Self { pattern: Regex::new(&pattern).ok()?, rank })
    }

    /// How well a path fits: the least is the most specific.
    pub(super) fn rank(&self, path: &str) -> Option<&[Rank]> {
        self.pattern.is_match(path).then_some(&self.rank)
    }
}

/// The length of `<…>` at the start of a text; angle brackets nest.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(templates: &[&'a str], path: &str) -> Option<&'a str> {
        let shapes: Vec<_> = templates.iter().filter_map(|text| Some((*text, Shape::new(text)?))).collect();
        let fits = shapes.iter().filter_map(|(text, shape)| Some((shape.rank(path)?, *text)));
        fits.min_by(|a, b| a.0.cmp(b.0)).map(|(_, text)| text)
    }

    #[test]
    fn the_most_specific_template_that_fits_wins() {
        let templates =
            ["/users/:id", "/users/me", "/users/:n<\\d+>", "/users/*rest", "/", "unmatched", "/a.b", "/n/<[a-z]{2}>/x"];
        for (path, expected) in [
            ("/users/me", Some("/users/me")),
            ("/users/7", Some("/users/:n<\\d+>")),
            ("/users/ada", Some("/users/:id")),
            ("/users/ada/x", Some("/users/*rest")),
            ("/users/", Some("/users/*rest")),
            ("/", Some("/")),
            ("/a.b", Some("/a.b")),
            ("/axb", None),
            ("/n/ab/x", Some("/n/<[a-z]{2}>/x")),
            ("/n/abc/x", None),
            ("unmatched", None),
            ("/unmatched", None),
            ("/users", None),
        ] {
            assert_eq!(best(&templates, path), expected, "{path}");
        }
    }

    #[test]
    fn a_template_that_is_no_pattern_fits_nothing() {
        for template in ["/x/:n<[>", "/x/<(>", "/x/:n<\\d+", "", "unknown"] {
            assert!(Shape::new(template).is_none(), "{template}");
        }
    }
}
