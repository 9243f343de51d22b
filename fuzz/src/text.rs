//! A strict parser of the text formats, Prometheus' 0.0.4 and OpenMetrics 1.0.0: what a scraper may choke on is an error.

use std::collections::{BTreeMap, BTreeSet};

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// One family as it was exposed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    pub help: Option<String>,
    pub kind: String,
    /// By name and labels.
    pub samples: BTreeMap<(String, Labels), f64>,
    /// The native histograms by their labels; only protobuf has them.
    pub native: BTreeMap<Labels, Native>,
}

/// The counts of a native histogram, by the index of the bucket; empty buckets are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Native {
    pub zero: u64,
    pub negative: BTreeMap<i64, u64>,
    pub positive: BTreeMap<i64, u64>,
}

impl Native {
    /// The count of all samples.
    #[must_use]
    pub fn total(&self) -> u64 {
        let counts = self.negative.values().chain(self.positive.values());
        counts.fold(self.zero, |total, count| total.wrapping_add(*count))
    }
}

/// The families by name.
pub type Families = BTreeMap<String, Family>;

/// Parses a whole exposition.
///
/// # Errors
/// The first line that breaks a rule, and which.
pub fn parse(text: &str) -> Result<Families, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    parse_in(text, false)
}

/// The same for OpenMetrics. Counters are called without `_total`.
///
/// # Errors
/// As [`parse`].
pub fn parse_openmetrics(text: &str) -> Result<Families, String> {
    parse_in(text.strip_suffix("# EOF\n").ok_or("no EOF at the end")?, true)
}

fn parse_in(text: &str, openmetrics: bool) -> Result<Families, String> {
    let mut families = Families::new();
    let mut current: Option<String> = None;
    // As the other formats call the last one: the order is that of these names.
    let mut last_name = String::new();
    let mut helped: Option<(String, String)> = None;
    for line in text.split_terminator('\n') {
        let fail = |why: &str| Err(format!("{why}: {line:?}"));
        if line.chars().any(char::is_control) {
            return fail("control character");
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let Some((name, help)) = rest.split_once(' ') else { return fail("HELP without a text") };
            if !is_name(name, true) {
                return fail("name");
            }
            if helped.is_some() {
                return fail("HELP after HELP");
            }
            if families.contains_key(name) {
                return fail("HELP after samples, or twice");
            }
            let Some(help) = unescape(help, openmetrics) else { return fail("escape in HELP") };
            helped = Some((name.to_owned(), help));
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else { return fail("TYPE without a kind") };
            if !is_name(name, true) {
                return fail("name");
            }
            let is_known = ["counter", "gauge", "histogram", "summary"].contains(&kind);
            if !is_known && (!openmetrics || kind != "unknown") {
                return fail("unknown TYPE");
            }
            let help = match helped.take() {
                Some((other, _)) if other != name => return fail("TYPE of another family than HELP"),
                helped => helped.map(|(_, help)| help),
            };
            let whole = if openmetrics && kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            if last_name >= whole {
                return fail(&format!("family out of order, after {last_name}"));
            }
            last_name = whole;
            let family = Family { help, kind: kind.to_owned(), ..Family::default() };
            if families.insert(name.to_owned(), family).is_some() {
                return fail("family twice");
            }
            current = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# UNIT ").filter(|_| openmetrics) {
            let is_of = |(name, unit): (&str, &str)| {
                let has_begun = families.get(name).is_some_and(|family| !family.samples.is_empty());
                current.as_deref() == Some(name) && !has_begun && name.ends_with(&format!("_{unit}"))
            };
            if !rest.split_once(' ').is_some_and(is_of) {
                return fail("unit");
            }
        } else if line.starts_with('#') || line.is_empty() {
            return fail("comment or empty line");
        } else {
            let Some((name, labels, value)) = sample(line) else { return fail("sample") };
            let Some((of, family)) = current.as_ref().and_then(|of| Some((of, families.get_mut(of)?))) else {
                return fail("sample without TYPE");
            };
            let Some(suffix) = name.strip_prefix(of.as_str()) else { return fail("sample of another family") };
            let fits = match (family.kind.as_str(), suffix) {
                ("counter", "_total") => openmetrics,
                ("counter", "") => !openmetrics,
                ("gauge" | "unknown", "") => true,
                ("histogram", "_bucket") => labels.get("le").is_some_and(|le| !openmetrics || is_canonical(le)),
                ("summary", "") => {
                    labels.get("quantile").is_some_and(|quantile| !openmetrics || is_canonical(quantile))
                }
                ("histogram" | "summary", "_sum" | "_count") => true,
                _ => false,
            };
            if !fits || helped.is_some() {
                return fail("sample that does not belong here");
            }
            if family.samples.insert((name, labels), value).is_some() {
                return fail("sample twice");
            }
        }
    }
    if let Some((name, _)) = helped {
        return Err(format!("HELP of {name} and nothing after it"));
    }
    // No two families may print under one name.
    let mut names = BTreeSet::new();
    for (name, family) in &families {
        if family.samples.is_empty() {
            return Err(format!("{name} has no sample"));
        }
        let mut own: BTreeSet<_> = family.samples.keys().map(|(name, _)| name.clone()).chain([name.clone()]).collect();
        if openmetrics && family.kind == "counter" {
            own.insert(format!("{name}_created"));
        }
        for name in own {
            if !names.insert(name.clone()) {
                return Err(format!("{name} is printed by two families"));
            }
        }
        if family.kind == "histogram" {
            check_histogram(name, family)?;
        }
    }
    Ok(families)
}

/// Buckets never fall, `+Inf` is there and equals the count.
fn check_histogram(name: &str, family: &Family) -> Result<(), String> {
    let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for ((sample, labels), value) in &family.samples {
        if sample.ends_with("_bucket") && sample.len() == name.len() + 7 {
            let mut labels = labels.clone();
            let le = labels.remove("le").and_then(|le| number(&le)).ok_or("le is no number")?;
            series.entry(labels).or_default().push((le, *value));
        }
    }
    for (labels, mut buckets) in series {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let is_ordered = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let count = family.samples.get(&(format!("{name}_count"), labels.clone())).copied();
        let has_sum = family.samples.contains_key(&(format!("{name}_sum"), labels.clone()));
        if !is_ordered || !has_sum || buckets.last().copied() != count.map(|count| (f64::INFINITY, count)) {
            return Err(format!("{name}{labels:?}: {buckets:?}, count {count:?}"));
        }
    }
    Ok(())
}

/// Never a whole number without a point.
fn is_canonical(number: &str) -> bool {
    number == "+Inf" || number.contains('.') || number.contains('e')
}

fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let mut escaped = false;
            let close = after.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?;
            let value = unescape(&after[..close], true)?;
            if !is_name(label, false) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = &after[close + 1..];
            if let Some(after) = rest.strip_prefix(',') {
                rest = after;
            } else {
                rest = rest.strip_prefix('}')?;
                break;
            }
        }
    }
    let value = number(rest.strip_prefix(' ')?)?;
    is_name(name, true).then(|| (name.to_owned(), labels, value))
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ if text.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b)) => text.parse().ok(),
        _ => None,
    }
}

fn is_name(name: &str, colon: bool) -> bool {
    let fits =
        |(i, b): (usize, u8)| b.is_ascii_alphabetic() || b == b'_' || colon && b == b':' || i > 0 && b.is_ascii_digit();
    !name.is_empty() && name.bytes().enumerate().all(fits)
}

fn unescape(text: &str, quotes: bool) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                '\\' => out.push('\\'),
                'n' => out.push('\n'),
                '"' if quotes => out.push('"'),
                _ => return None,
            },
            '"' if quotes => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total Some \\\\ help\\n\"here\".\n# TYPE a_total counter\na_total{b=\"x\\\"\\\\\\n\"} 3\n\
                        # TYPE b gauge\nb NaN\n# TYPE c_seconds histogram\nc_seconds_bucket{le=\"0.5\"} 1\n\
                        c_seconds_bucket{le=\"+Inf\"} 2\nc_seconds_sum 1e-7\nc_seconds_count 2\n";

    #[test]
    fn what_is_right_is_read() {
        let families = parse(GOOD).unwrap();
        let a = &families["a_total"];
        assert_eq!(a.help.as_deref(), Some("Some \\ help\n\"here\"."));
        let labels = Labels::from([("b".to_owned(), "x\"\\\n".to_owned())]);
        assert_eq!(a.samples, BTreeMap::from([(("a_total".to_owned(), labels), 3.0)]));
        assert!(families["b"].samples.values().all(|value| value.is_nan()));
        assert_eq!(families["c_seconds"].samples.len(), 4);
        assert_eq!(parse(""), Ok(Families::new()));
    }

    #[test]
    fn openmetrics_is_read_and_what_is_wrong_in_it_is_not() {
        let good = "# HELP b_seconds A \\\"b\\\".\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 1\n\
                    # TYPE a counter\na_total{x=\"1\"} 2\n# TYPE c unknown\nc 3\n# TYPE d histogram\n\
                    d_bucket{le=\"1.0\"} 1\nd_bucket{le=\"+Inf\"} 2\nd_sum 1\nd_count 2\n# EOF\n";
        // `a_total` comes before `b`.
        assert!(parse_openmetrics(good).is_err_and(|why| why.contains("out of order")));
        let good = good.replace("# TYPE a counter\na_total", "# TYPE bb counter\nbb_total");
        let families = parse_openmetrics(&good).unwrap();
        assert_eq!(families["b_seconds"].help.as_deref(), Some("A \"b\"."));
        assert_eq!((families["bb"].kind.as_str(), families["bb"].samples.len(), families.len()), ("counter", 1, 4));
        for (bad, why) in [
            ("# TYPE a gauge\na 1\n", "no EOF"),
            ("# TYPE a gauge\na 1\n# EOF\n# EOF\n", "comment"),
            ("# TYPE a_total counter\na_total 1\n# EOF\n", "does not belong"),
            ("# TYPE a gauge\na 1\n# TYPE a counter\na_total 1\n# EOF\n", "twice"),
            ("# TYPE a_created gauge\na_created 1\n# TYPE a counter\na_total 1\n# EOF\n", "two families"),
            ("# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n", "unit"),
            ("# TYPE a_seconds gauge\na_seconds 1\n# UNIT a_seconds seconds\n# EOF\n", "unit"),
            ("# HELP a \"b\"\n# TYPE a gauge\na 1\n# EOF\n", "escape"),
            ("# TYPE d histogram\nd_bucket{le=\"1\"} 1\n# EOF\n", "does not belong"),
        ] {
            let said = parse_openmetrics(bad).expect_err(bad);
            assert!(said.contains(why), "{bad:?}: {said}");
        }
        assert!(parse("# TYPE a unknown\na 1\n").is_err());
    }

    #[test]
    fn what_is_wrong_is_not() {
        for (bad, why) in [
            ("# TYPE a counter\na 1", "does not end"),
            ("a 1\n", "without TYPE"),
            ("# TYPE a counter\nb 1\n", "another family"),
            ("# TYPE a counter\na_sum 1\n", "does not belong"),
            ("# TYPE a counter\na 1\na 2\n", "twice"),
            ("# TYPE a counter\na{b=\"1\"} 1\na{b=\"1\"} 2\n", "twice"),
            ("# TYPE a counter\na{b=\"1\",b=\"2\"} 1\n", "sample"),
            ("# TYPE a counter\na{1b=\"1\"} 1\n", "sample"),
            ("# TYPE a counter\na{b=\"\\x\"} 1\n", "sample"),
            ("# TYPE a counter\na{b=\"1} 1\n", "sample"),
            ("# TYPE a counter\na{b=\"1\"}1\n", "sample"),
            ("# TYPE a counter\na inf\n", "sample"),
            ("# TYPE a counter\na 1 2\n", "sample"),
            ("# TYPE a.b counter\na.b 1\n", "name"),
            ("# TYPE a thing\na 1\n", "unknown TYPE"),
            ("# TYPE a counter\n", "has no sample"),
            ("# TYPE b counter\nb 1\n# TYPE a counter\na 1\n", "out of order"),
            ("# TYPE a counter\na 1\n# TYPE a counter\na 1\n", "out of order"),
            ("# HELP a x\n# TYPE b counter\nb 1\n", "another family than HELP"),
            ("# HELP a \\x\n# TYPE a counter\na 1\n", "escape"),
            ("# TYPE a counter\na{b=\"\u{7f}\"} 1\n", "control"),
            ("# TYPE a counter\n\na 1\n", "empty"),
            ("# TYPE a counter\na 1\r\n", "control"),
            ("# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n", "count"),
            ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n", "count"),
            ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\n", "count"),
            ("# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n", "count"),
            (
                "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n# TYPE a_count counter\na_count 1\n",
                "two",
            ),
        ] {
            let said = parse(bad).expect_err(bad);
            assert!(said.contains(why), "{bad:?}: {said}");
        }
    }
}
