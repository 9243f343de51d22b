//! Whether a scrape shows the token that the service asks for (RFC 6750, section 2.1).

use http::{HeaderMap, header::AUTHORIZATION};

use crate::config::Access;

/// Whether who sends these headers may scrape.
pub(crate) fn may_scrape(access: &Access, headers: &HeaderMap) -> bool {
    match access {
        Access::Anybody => true,
        Access::Token(token) => shown(headers).is_some_and(|given| token.is_of(given)),
        Access::Nobody => false,
    }
}

/// The token of the one `Authorization` header. Two of them say two things, so they say nothing.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, rest) = value.as_bytes().split_at_checked("Bearer".len())?;
    let token = rest.strip_prefix(b" ")?;
    scheme.eq_ignore_ascii_case(b"Bearer").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn one_header_of_the_scheme_in_any_case_shows_a_token() {
        for (values, expected) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["bearer abc"], Some("abc")),
            (&["BEARER   abc  "], Some("abc")),
            (&["Bearer a b"], Some("a b")),
            (&["Bearer "], Some("")),
            (&["Bearer"], None),
            (&["Bearerabc"], None),
            (&["Bearer\tabc"], None),
            (&["Basic abc"], None),
            (&["abc"], None),
            (&[""], None),
            (&[], None),
            (&["Bearer abc", "Bearer abc"], None),
            (&["Basic x", "Bearer abc"], None),
        ] {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| _ = headers.append(AUTHORIZATION, HeaderValue::from_static(value)));
            assert_eq!(shown(&headers), expected.map(str::as_bytes), "{values:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff\xc3").unwrap());
        assert_eq!(shown(&headers), Some(&b"\xff\xc3"[..]));
    }
}
