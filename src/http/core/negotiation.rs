//! What a client asks for, with its weights (RFC 9110, section 12): the format in `Accept`, gzip in `Accept-Encoding`.

use std::cmp::Ordering;

use http::{
    HeaderMap,
    header::{ACCEPT, ACCEPT_ENCODING, HeaderName},
};

use crate::exposition::Format;

/// A format, and what the answer calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MediaType {
    pub(crate) format: Format,
    pub(crate) name: &'static str,
}

impl MediaType {
    const TEXT: Self = Self { format: Format::Text, name: "text/plain; version=0.0.4; charset=utf-8" };
    const PROTOBUF: Self = Self {
        format: Format::Protobuf,
        name: "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    };

    const fn openmetrics(name: &'static str) -> Self {
        Self { format: Format::OpenMetrics, name }
    }

    /// What answers one range of an `Accept`, if anything does; text for wildcards.
    fn of(range: &str) -> Option<Self> {
        let named = range.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| named.eq_ignore_ascii_case(name);
        if is("text/plain") {
            matches!(parameter(range, "version"), None | Some("0.0.4")).then_some(Self::TEXT)
        } else if is("application/openmetrics-text") {
            // The names of this crate are as every way of escaping has them but `dots`, which doubles each `_`.
            let name = match (parameter(range, "version"), parameter(range, "escaping")) {
                (Some("0.0.1"), _) => "application/openmetrics-text; version=0.0.1; charset=utf-8",
                (None | Some("1.0.0"), Some("allow-utf-8")) => {
                    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
                }
                (None | Some("1.0.0"), Some("values")) => {
                    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values"
                }
                (None | Some("1.0.0"), Some(_)) => {
                    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
                }
                (None | Some("1.0.0"), None) => "application/openmetrics-text; version=1.0.0; charset=utf-8",
                (Some(_), _) => return None,
            };
            Some(Self::openmetrics(name))
        } else if is("application/vnd.google.protobuf") {
            let is_ours = parameter(range, "proto") == Some("io.prometheus.client.MetricFamily")
                && parameter(range, "encoding") == Some("delimited");
            is_ours.then_some(Self::PROTOBUF)
        } else {
            is_wildcard(range).then_some(Self::TEXT)
        }
    }
}

/// The format with the highest weight, as Go's `expfmt` chooses it: of equal ones, one that is named goes before a wildcard, and
/// the first before those that follow. Text where nothing can be had of what is asked for.
pub(crate) fn media_type(headers: &HeaderMap) -> MediaType {
    let mut best: Option<((f64, bool), MediaType)> = None;
    for_each(headers, &ACCEPT, |range| {
        let Some(media_type) = MediaType::of(range) else { return };
        let rank = (weight(range), !is_wildcard(range));
        let is_better = best.is_none_or(|(known, _)| rank.partial_cmp(&known) == Some(Ordering::Greater));
        if rank.0 > 0.0 && is_better {
            best = Some((rank, media_type));
        }
    });
    best.map_or(MediaType::TEXT, |(_, media_type)| media_type)
}

fn is_wildcard(range: &str) -> bool {
    let named = range.split(';').next().unwrap_or_default().trim();
    ["*/*", "*", "text/*"].iter().any(|wildcard| named.eq_ignore_ascii_case(wildcard))
}

/// Gzip when the client accepts it and does not say that it prefers the plain text.
pub(crate) fn wants_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut old_name, mut any, mut identity) = (None, None, None, None);
    for_each(headers, &ACCEPT_ENCODING, |item| {
        let name = item.split(';').next().unwrap_or_default().trim();
        let weight = Some(weight(item));
        if name.eq_ignore_ascii_case("gzip") {
            gzip = weight;
        } else if name.eq_ignore_ascii_case("x-gzip") {
            old_name = weight;
        } else if name.eq_ignore_ascii_case("identity") {
            identity = weight;
        } else if name == "*" {
            any = weight;
        }
    });
    let gzip = gzip.or(old_name).or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// The items of a list, of all headers of this name. One odd byte spoils the item that it is in, and no other.
fn for_each(headers: &HeaderMap, name: &HeaderName, mut run: impl FnMut(&str)) {
    for value in headers.get_all(name) {
        String::from_utf8_lossy(value.as_bytes()).split(',').for_each(&mut run);
    }
}

/// The value of a parameter, without quotes around it.
fn parameter<'a>(item: &'a str, name: &str) -> Option<&'a str> {
    item.split(';').skip(1).find_map(|parameter| {
        let (known, value) = parameter.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        known.trim().eq_ignore_ascii_case(name).then_some(value)
    })
}

/// `q=0.5`, 1 by default. A weight that is not a number counts as 0: a garbled header may not have asked for this.
fn weight(item: &str) -> f64 {
    let given = |text: &str| text.parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
    parameter(item, "q").map_or(1.0, given)
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

    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const OPENMETRICS_UTF_8: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
    const TEXT: &str = MediaType::TEXT.name;
    const PROTOBUF: &str = MediaType::PROTOBUF.name;

    #[track_caller]
    fn answered(accept: &[&[u8]]) -> &'static str {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_bytes(value).unwrap());
        }
        let MediaType { format, name } = media_type(&headers);
        let expected = match name.split([';', '/']).nth(1).unwrap_or_default() {
            "plain" => Format::Text,
            "openmetrics-text" => Format::OpenMetrics,
            _ => Format::Protobuf,
        };
        assert_eq!(format, expected, "{name}");
        name
    }

    /// The headers are those of the servers' sources.
    #[test]
    fn servers_get_what_they_prefer() {
        for (client, accept, expected) in [
            (
                "Prometheus 2.5",
                "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                "application/openmetrics-text; version=0.0.1; charset=utf-8",
            ),
            (
                "Prometheus 2.42",
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OPENMETRICS,
            ),
            (
                "Prometheus 2.42, native histograms",
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                 application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                PROTOBUF,
            ),
            (
                "Prometheus 2.53",
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OPENMETRICS,
            ),
            (
                "Prometheus 2.53, created timestamps",
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,\
                 application/openmetrics-text;version=1.0.0;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                PROTOBUF,
            ),
            (
                "Prometheus 3, and the OpenTelemetry collector, which scrapes with its library",
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OPENMETRICS_UTF_8,
            ),
            (
                "Prometheus 3, protobuf first",
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
                 application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                PROTOBUF,
            ),
            (
                "Prometheus 3, scrape_protocols: [PrometheusText1.0.0]",
                "text/plain;version=1.0.0;escaping=values;q=0.6,*/*;q=0.5",
                TEXT,
            ),
            ("VictoriaMetrics", "text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),
            ("curl", "*/*", TEXT),
            ("Java", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", TEXT),
            (
                "Chromium",
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,\
                 application/signed-exchange;v=b3;q=0.7",
                TEXT,
            ),
        ] {
            assert_eq!(answered(&[accept.as_bytes()]), expected, "{client}");
        }
        assert_eq!(answered(&[]), TEXT);
    }

    #[test]
    fn weights_versions_and_parameters_decide() {
        const PROTO: &str =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        for (accept, expected) in [
            ("", TEXT),
            (",,;q=1", TEXT),
            ("application/json", TEXT),
            ("application/*", TEXT),
            ("text/*", TEXT),
            ("text/plain", TEXT),
            ("text/plain;charset=utf-8", TEXT),
            ("application/openmetrics-text", OPENMETRICS),
            ("application/openmetrics-text; charset=utf-8; version=1.0.0", OPENMETRICS),
            ("APPLICATION/OpenMetrics-Text ; Version = \"1.0.0\"", OPENMETRICS),
            ("application/openmetrics-text;version=2.0.0", TEXT),
            (
                "application/openmetrics-text;version=2.0.0, application/openmetrics-text;version=1.0.0;q=0.1",
                OPENMETRICS,
            ),
            ("application/openmetrics-text;version=", TEXT),
            ("application/openmetrics-textual", TEXT),
            ("application/openmetrics-text;escaping=allow-utf-8", OPENMETRICS_UTF_8),
            (
                "application/openmetrics-text;version=1.0.0;escaping=underscores",
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=values",
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values",
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=dots",
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            ),
            ("application/openmetrics-text, text/plain", OPENMETRICS),
            ("text/plain, application/openmetrics-text", TEXT),
            ("text/plain;q=0.5, application/openmetrics-text;q=0.500", TEXT),
            ("text/plain;q=0.5, application/openmetrics-text;q=0.501", OPENMETRICS),
            ("*/*, application/openmetrics-text", OPENMETRICS),
            ("*/*;q=0.6, application/openmetrics-text;q=0.5", TEXT),
            ("application/openmetrics-text;q=0", TEXT),
            ("application/openmetrics-text;q=0.0, text/plain;q=0", TEXT),
            ("application/openmetrics-text;q=2, */*;q=0.1", TEXT),
            ("application/openmetrics-text;q=x", TEXT),
            ("application/openmetrics-text;q=NaN", TEXT),
            ("application/openmetrics-text;q=-1", TEXT),
            (PROTO, PROTOBUF),
            ("application/vnd.google.protobuf", TEXT),
            ("application/vnd.google.protobuf;encoding=delimited", TEXT),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", TEXT),
            ("application/vnd.google.protobuf;proto=other;encoding=delimited", TEXT),
            (
                "application/vnd.google.protobuf; encoding=delimited; escaping=dots; proto=io.prometheus.client.MetricFamily",
                PROTOBUF,
            ),
        ] {
            assert_eq!(answered(&[accept.as_bytes()]), expected, "{accept:?}");
        }
        // Several headers are one list, and an odd byte spoils its own item.
        assert_eq!(answered(&[b"text/plain;q=0.1", b"application/openmetrics-text"]), OPENMETRICS);
        assert_eq!(answered(&[b"\xff\xfe\x80, application/openmetrics-text"]), OPENMETRICS);
        assert_eq!(answered(&[b"application/openmetrics-text\xff, text/plain;q=0.1"]), TEXT);
    }
}
