//! Whether a client wants gzip: `Accept-Encoding` with its quality values (RFC 9110, section 12.5.3).

use http::{HeaderMap, header::ACCEPT_ENCODING};

/// Gzip when the client accepts it and does not say that it prefers the plain text.
pub(crate) fn wants_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut old_name, mut any, mut identity) = (None, None, None, None);
    for value in headers.get_all(ACCEPT_ENCODING) {
        // One odd byte spoils the name that it is in, and no other.
        for item in String::from_utf8_lossy(value.as_bytes()).split(',') {
            let mut parts = item.split(';');
            let name = parts.next().unwrap_or_default().trim();
            let quality = parts.find_map(quality).unwrap_or(1.0);
            if name.eq_ignore_ascii_case("gzip") {
                gzip = Some(quality);
            } else if name.eq_ignore_ascii_case("x-gzip") {
                old_name = Some(quality);
            } else if name.eq_ignore_ascii_case("identity") {
                identity = Some(quality);
            } else if name == "*" {
                any = Some(quality);
            }
        }
    }
    let gzip = gzip.or(old_name).or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// `q=0.5`; a quality that is no number counts as 0, so that a garbled header gets the plain text.
fn quality(parameter: &str) -> Option<f64> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    Some(value.trim().parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn quality_values_decide() {
        for (header, expected) in [
            ("", false),
            ("gzip", true),
            ("GZIP", true),
            ("deflate, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("gzip;q=0.2, identity;q=0.8", false),
            ("gzip;q=0.8, identity;q=0.2", true),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("br", false),
            ("identity", false),
            ("gzip;q=x", false),
            ("gzipx", false),
            ("x-gzip", true),
            ("gzip;q=0, x-gzip", false),
            ("x-gzip, gzip;q=0", false),
            ("x-gzip;q=0, gzip", true),
            ("x-gzip;q=0, *", false),
            ("gzip, é", true),
            ("é;q=1, gzip;q=0.5", true),
            ("gzipé", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_bytes(header.as_bytes()).unwrap());
            assert_eq!(wants_gzip(&headers), expected, "{header:?}");
        }
        assert!(!wants_gzip(&HeaderMap::new()));
    }
}
