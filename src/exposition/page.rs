//! The content of the page for people: HTML out of the same walk that a scrape takes. No scripts, nothing from outside.

mod units;

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Write},
};

use self::units::{Mean, Unit, duration};
use super::{
    Format,
    encoder::{Encoder, Histogram, Metric, MetricType, NO_HELP, Summary},
    render::{self},
};
use crate::{
    schema::names::{Namespace, own_name},
    storage::{
        sanitize::{clean_help, label_pairs},
        store::Store,
    },
    support::html::Escaped,
};

/// How many series of a family are shown. The text format has all of them.
const SHOWN_SERIES: usize = 20;

/// The content of the page, without the head and the end of the document.
pub(super) fn render(store: &Store) -> String {
    render::render(store, Format::Page, |_, _| Page::default(), |page| page.html(store))
}

/// All families: some sections of the page look at several of them.
#[derive(Default)]
struct Page(Vec<Family>);

struct Family {
    name: String,
    help: String,
    kind: MetricType,
    series: Vec<Series>,
}

struct Series {
    labels: Vec<(String, String)>,
    value: Value,
}

enum Value {
    Number(f64),
    /// The buckets are upper bounds and counts; a summary has none.
    Distribution {
        count: u64,
        sum: f64,
        buckets: Vec<(String, u64)>,
    },
}

impl Encoder for Page {
    fn family(&mut self, name: &str, help: Option<&str>, kind: MetricType) {
        let (name, help) = (name.to_owned(), clean_help(help.unwrap_or(NO_HELP)));
        self.0.push(Family { name, help, kind, series: Vec::new() });
    }

    fn count(&mut self, metric: Metric<'_>, value: u64) {
        self.number(metric, value as f64);
    }

    fn number(&mut self, metric: Metric<'_>, value: f64) {
        self.push(metric, Value::Number(value));
    }

    fn histogram(&mut self, metric: Metric<'_>, histogram: &Histogram<'_>) {
        let mut below = 0;
        let buckets = histogram.bounds.iter().zip(histogram.counts).map(|(bound, count)| {
            let own = count.saturating_sub(below);
            below = *count;
            (bound.to_string(), own)
        });
        let buckets = buckets.collect();
        self.push(metric, Value::Distribution { count: histogram.count(), sum: histogram.sum, buckets });
    }

    fn summary(&mut self, metric: Metric<'_>, summary: &Summary<'_>) {
        let (count, sum) = (summary.count, summary.sum);
        self.push(metric, Value::Distribution { count, sum, buckets: Vec::new() });
    }
}

impl Page {
    fn push(&mut self, metric: Metric<'_>, value: Value) {
        let labels = label_pairs(metric.labels).map(|(labels, _)| labels).unwrap_or_default();
        if let Some(family) = self.0.last_mut() {
            family.series.push(Series { labels, value });
        }
    }

    fn family(&self, name: &str) -> Option<&Family> {
        self.0.iter().find(|family| family.name == name)
    }

    /// The value of a family without labels.
    fn single(&self, name: &str) -> Option<f64> {
        match self.family(name)?.series.first()?.value {
            Value::Number(value) => Some(value),
            Value::Distribution { .. } => None,
        }
    }

    fn html(&self, store: &Store) -> String {
        let mut out = String::new();
        // A `String` takes everything.
        let _ = self.sections(&mut out, store);
        out
    }

    fn sections(&self, out: &mut String, store: &Store) -> fmt::Result {
        self.status(out)?;
        self.routes(out)?;
        let (own, others): (Vec<&Family>, Vec<&Family>) =
            self.0.iter().partition(|family| Namespace::BUILD.holds(&family.name));
        for (title, families) in [("Families", own), ("Families of libraries and of the process", others)] {
            if !families.is_empty() {
                write!(out, "<h2>{title}</h2>")?;
                families.into_iter().try_for_each(|family| family.section(out))?;
            }
        }
        self.caps(out, store.cap())?;
        findings(out, store)
    }

    fn status(&self, out: &mut String) -> fmt::Result {
        let build = self.family(own_name!("build_info")).and_then(|family| family.series.first());
        let build = |name: &str| {
            let found = build?.labels.iter().find(|(label, _)| label == name);
            found.map(|(_, value)| value.clone())
        };
        let health = self.single(own_name!("monitoring_health")).map(|health| {
            if health == 1.0 { "well" } else { "a fault of monitoring was caught within the last minute" }.to_owned()
        });
        let uptime = self.single(own_name!("uptime_seconds_total")).map(|seconds| duration(seconds).to_string());
        let rows = [
            ("Monitoring", Some("on".to_owned())),
            ("Health", health),
            ("Version", build("version")),
            ("Commit", build("commit_hash")),
            ("Up for", uptime),
        ];
        table(out, "Status", &[], |out| {
            rows.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).try_for_each(|(name, value)| {
                write!(out, "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>", Escaped(value))
            })
        })
    }

    /// Totals and means of each route. There are no rates: those need two scrapes.
    fn routes(&self, out: &mut String) -> fmt::Result {
        #[derive(Default)]
        struct Totals {
            requests: f64,
            errors: f64,
            count: u64,
            sum: f64,
        }
        let mut routes = BTreeMap::<(&str, &str), Totals>::new();
        let requests = self.family(own_name!("http_requests_total"));
        for series in requests.iter().flat_map(|family| &family.series) {
            let Value::Number(value) = series.value else { continue };
            let totals = routes.entry((series.label("path"), series.label("method"))).or_default();
            totals.requests += value;
            if series.label("status_code").starts_with('5') {
                totals.errors += value;
            }
        }
        let durations = self.family(own_name!("http_request_duration_seconds"));
        for series in durations.iter().flat_map(|family| &family.series) {
            let Value::Distribution { count, sum, .. } = &series.value else { continue };
            let totals = routes.entry((series.label("path"), series.label("method"))).or_default();
            (totals.count, totals.sum) = (*count, *sum);
        }
        if routes.is_empty() {
            return Ok(());
        }
        table(out, "Routes", &["Path", "Method", "#Requests", "#Status 5xx", "#Mean"], |out| {
            routes.iter().try_for_each(|((path, method), totals)| {
                let mean = Mean { sum: totals.sum, count: totals.count, unit: Unit::Seconds };
                write!(
                    out,
                    "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{mean}</td></tr>",
                    Escaped(path),
                    Escaped(method),
                    totals.requests,
                    totals.errors,
                )
            })
        })
    }

    fn caps(&self, out: &mut String, cap: usize) -> fmt::Result {
        let mut families: Vec<(&str, usize)> =
            self.0.iter().map(|family| (family.name.as_str(), family.series.len())).filter(|(_, n)| *n > 1).collect();
        families.sort_by_key(|(_, series)| std::cmp::Reverse(*series));
        families.truncate(SHOWN_SERIES);
        if families.is_empty() {
            return Ok(());
        }
        table(out, "Series", &["Family", "#Series", "#Cap"], |out| {
            families.iter().try_for_each(|(name, series)| {
                write!(
                    out,
                    "<tr><th scope=\"row\">{}</th><td class=\"n\">{series}</td><td class=\"n\">{cap}</td></tr>",
                    Escaped(name)
                )
            })
        })
    }
}

/// The findings of monitoring, by name.
fn findings(out: &mut String, store: &Store) -> fmt::Result {
    let findings = store.diagnostics.findings();
    if findings.is_empty() {
        return Ok(());
    }
    table(out, "Findings", &["Family", "What"], |out| {
        findings.iter().try_for_each(|(metric, what)| {
            write!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", Escaped(metric), in_words(what))
        })
    })
}

/// The findings of [`Diagnostics`](crate::storage::diagnostics::Diagnostics) in words.
fn in_words(what: &str) -> &str {
    match what {
        "fault" => "a fault while recording, or a sample that is not a number",
        "labels" => "labels were dropped",
        "twice" => "declared twice",
        "constant label" => "has a constant label of its own",
        "early" => "records were lost: their handle was taken while monitoring was off",
        "names" => "too many undeclared names: new ones are dropped",
        "cap" => "too many series: new ones are counted as other",
        what => what,
    }
}

impl Series {
    fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn labels(&self) -> String {
        let pairs: Vec<String> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { "no labels".to_owned() } else { pairs.join(", ") }
    }
}

impl Family {
    fn section(&self, out: &mut String) -> fmt::Result {
        let unit = Unit::of(&self.name);
        let is_distribution = matches!(self.kind, MetricType::Histogram | MetricType::Summary);
        write!(out, "<h3>{}</h3><p>{}</p>", Escaped(&self.name), Escaped(&self.help))?;
        let query = Query(self);
        write!(out, "<p class=\"soft\">{}; ask: <code>{}</code></p>", self.kind.as_str(), Escaped(&query.to_string()))?;
        let columns: &[&str] =
            if is_distribution { &["Labels", "#Count", "#Mean", "Distribution"] } else { &["Labels", "#Value"] };
        rows(out, &self.name, columns, |out| {
            for series in self.series.iter().take(SHOWN_SERIES) {
                write!(out, "<tr><th scope=\"row\">{}</th>", Escaped(&series.labels()))?;
                match &series.value {
                    Value::Number(value) => write!(out, "<td class=\"n\">{}</td>", unit.show(*value))?,
                    Value::Distribution { count, sum, buckets } => {
                        let mean = Mean { sum: *sum, count: *count, unit };
                        write!(out, "<td class=\"n\">{count}</td><td class=\"n\">{mean}</td><td>")?;
                        picture(out, buckets)?;
                        out.write_str("</td>")?;
                    }
                }
                out.write_str("</tr>")?;
            }
            Ok(())
        })?;
        match self.series.len().saturating_sub(SHOWN_SERIES) {
            0 => Ok(()),
            more => write!(out, "<p class=\"soft\">and {more} more in the text</p>"),
        }
    }
}

/// The query that a family is usually read with.
struct Query<'a>(&'a Family);

impl Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.0.name;
        match self.0.kind {
            MetricType::Counter => write!(f, "sum(rate({name}[5m]))"),
            MetricType::Gauge => f.write_str(name),
            MetricType::Histogram => write!(f, "histogram_quantile(0.95, sum(rate({name}_bucket[5m])) by (le))"),
            MetricType::Summary => write!(f, "sum(rate({name}_sum[5m])) / sum(rate({name}_count[5m]))"),
        }
    }
}

/// A bar for each bucket, and the same in words.
fn picture(out: &mut String, buckets: &[(String, u64)]) -> fmt::Result {
    let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if most == 0 {
        return Ok(());
    }
    let words: Vec<String> =
        buckets.iter().filter(|(_, count)| *count > 0).map(|(bound, count)| format!("{count} up to {bound}")).collect();
    write!(
        out,
        "<svg role=\"img\" preserveAspectRatio=\"none\" viewBox=\"0 0 {} 24\" aria-label=\"{}\">",
        buckets.len().saturating_mul(10),
        Escaped(&words.join(", "))
    )?;
    for (place, (_, count)) in buckets.iter().enumerate().filter(|(_, (_, count))| *count > 0) {
        // At least 1, so that it can be seen.
        let height = (24.0 * *count as f64 / most as f64).max(1.0);
        let (x, y) = (place.saturating_mul(10), 24.0 - height);
        write!(out, "<rect x=\"{x}\" y=\"{y:.1}\" width=\"8\" height=\"{height:.1}\"/>")?;
    }
    out.write_str("</svg>")
}

/// A section with one table; a column whose name begins with `#` has numbers.
fn table(
    out: &mut String,
    title: &str,
    columns: &[&str],
    body: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    write!(out, "<h2>{title}</h2>")?;
    rows(out, title, columns, body)
}

fn rows(out: &mut String, name: &str, columns: &[&str], body: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
    // A table that is too wide can be scrolled, also by the keyboard.
    write!(out, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table>", Escaped(name))?;
    if !columns.is_empty() {
        out.write_str("<thead><tr>")?;
        for column in columns {
            match column.strip_prefix('#') {
                Some(column) => write!(out, "<th scope=\"col\" class=\"n\">{column}</th>")?,
                None => write!(out, "<th scope=\"col\">{column}</th>")?,
            }
        }
        out.write_str("</tr></thead>")?;
    }
    out.write_str("<tbody>")?;
    body(out)?;
    out.write_str("</tbody></table></div>")
}
