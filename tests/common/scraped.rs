//! A scrape in one format, and its samples.

use std::collections::BTreeMap;

use poem::{Endpoint, IntoResponse, Request, http::header};

use super::metric_family::{Series, families};

pub const TEXT: &str = "text/plain;version=0.0.4";
pub const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";
pub const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// An answer.
pub struct Scraped {
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Asks for a format.
pub async fn scraped(app: &impl Endpoint, accept: &str) -> Scraped {
    let request = Request::builder().uri_str("/metrics").header(header::ACCEPT, accept).finish();
    let Ok(answer) = app.call(request).await else { panic!("an answer") };
    let answer = answer.into_response();
    let content_type = answer.content_type().expect("a type").to_owned();
    Scraped { content_type, body: answer.into_body().into_vec().await.expect("a body") }
}

/// The samples of an answer in any format. Bounds and quantiles are as Rust prints the number.
pub fn samples_of(scraped: &Scraped) -> BTreeMap<Series, f64> {
    if scraped.content_type.starts_with("application/vnd.google.protobuf") {
        let families = families(&scraped.body);
        let samples = families.iter().flat_map(super::metric_family::MetricFamily::samples);
        return collected(samples.map(|(series, value, _)| (series, value)));
    }
    let text = std::str::from_utf8(&scraped.body).expect("UTF-8");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    collected(lines.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}"))))
}

fn collected(samples: impl Iterator<Item = (Series, f64)>) -> BTreeMap<Series, f64> {
    let mut all = BTreeMap::new();
    for (series, value) in samples {
        assert!(all.insert(series.clone(), value).is_none(), "{series:?} twice");
    }
    all
}

/// `name{label="value"} 1`
fn sample(line: &str) -> Option<(Series, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"")?;
            let (mut value, mut characters) = (String::new(), quoted.chars());
            loop {
                value.push(match characters.next()? {
                    '"' => break,
                    '\\' => match characters.next()? {
                        'n' => '\n',
                        escaped @ ('\\' | '"') => escaped,
                        _ => return None,
                    },
                    plain => plain,
                });
            }
            if (label == "le" && name.ends_with("_bucket")) || label == "quantile" {
                value = value.parse::<f64>().ok()?.to_string();
            }
            labels.insert(label.to_owned(), value);
            rest = characters.as_str();
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = rest.strip_prefix('}')?;
    }
    Some(((name.to_owned(), labels), rest.strip_prefix(' ')?.parse().ok()?))
}
