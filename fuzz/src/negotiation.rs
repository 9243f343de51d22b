//! Headers of any bytes: the answer is in one of the formats, says which, and is what it says.

use std::{io::Read, sync::LazyLock};

use arbitrary::{Result, Unstructured};
use compozy_monitoring::MonitoringService;
use http::{HeaderValue, Method, StatusCode, header};

use crate::scrape::{Format, Request, ask};

/// Everything that an answer may be called.
const NAMES: [(&str, Format); 7] = [
    ("text/plain; version=0.0.4; charset=utf-8", Format::Text),
    ("application/openmetrics-text; version=0.0.1; charset=utf-8", Format::OpenMetrics),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8", Format::OpenMetrics),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", Format::OpenMetrics),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values", Format::OpenMetrics),
    ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", Format::Protobuf),
];

/// Parts of real headers, between which the bytes of the input stand.
const PARTS: [&[u8]; 24] = [
    b"application/openmetrics-text",
    b"application/vnd.google.protobuf",
    b"text/plain",
    b"*/*",
    b"text/*",
    b"*",
    b";",
    b",",
    b"=",
    b"version",
    b"1.0.0",
    b"0.0.1",
    b"0.0.4",
    b"proto=io.prometheus.client.MetricFamily",
    b"encoding=delimited",
    b"escaping=",
    b"allow-utf-8",
    b"values",
    b";q=",
    b"0.5",
    b"1",
    b"\"",
    b"gzip",
    b"identity",
];

static SERVICE: LazyLock<MonitoringService> = LazyLock::new(MonitoringService::for_test);

/// Asks with what the bytes spell.
pub fn negotiation(data: &[u8]) {
    let _ = run(&mut Unstructured::new(data));
}

fn value(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for _ in 0..u.arbitrary::<u8>()? % 32 {
        match PARTS.get(usize::from(u.arbitrary::<u8>()? % 32)) {
            Some(part) => bytes.extend_from_slice(part),
            None => bytes.push(u.arbitrary()?),
        }
    }
    Ok(bytes)
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let mut request = Request { method: Method::GET, headers: Vec::new() };
    if u.ratio(1, 8)? {
        request.method = Method::HEAD;
    }
    for name in [header::ACCEPT, header::ACCEPT, header::ACCEPT_ENCODING] {
        if let Ok(value) = HeaderValue::from_bytes(&value(u)?) {
            request.headers.push((name, value));
        }
    }
    let is_head = request.method == Method::HEAD;
    let accepts_no_gzip = !request.headers.iter().any(|(name, value)| {
        let has = |text: &[u8]| value.as_bytes().windows(text.len()).any(|part| part.eq_ignore_ascii_case(text));
        name == header::ACCEPT_ENCODING && (has(b"gzip") || has(b"*"))
    });
    let answer = ask(&SERVICE, request);
    assert_eq!(answer.status(), StatusCode::OK);
    let header = |name: header::HeaderName| answer.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header(header::VARY), Some("Accept, Accept-Encoding"));
    let name = header(header::CONTENT_TYPE).expect("a type");
    let (_, format) = NAMES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}"));
    let length: usize = header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()).expect("a length");
    let is_zipped = header(header::CONTENT_ENCODING) == Some("gzip");
    assert!(!(is_zipped && accepts_no_gzip));
    let body = answer.into_body();
    if is_head {
        assert!(body.is_empty() && length > 0);
        return Ok(());
    }
    assert_eq!(body.len(), length);
    let mut plain = Vec::new();
    if is_zipped {
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain).expect("gzip");
    } else {
        plain = body;
    }
    assert!(format.parse(&plain).len() >= 5);
    Ok(())
}
