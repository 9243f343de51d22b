//! Random families, labels, values and operations; what is rendered is parsed and compared with a model.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use compozy_monitoring::{
    MonitoringService, families,
    metrics::{Key, KeyName, Label, Level, Metadata},
};

use crate::{
    model::{CAP, Def, Kind, Model, Op},
    text,
};

families! {
    /// Without labels.
    counter PLAIN = "compozy_fuzz_plain_total";
    /// Free text, twice; "quoted" \ and
    /// on two lines.
    counter TEXT = "compozy_fuzz_text_total" { path: str, method: str };
    /// A level.
    gauge LEVEL = "compozy_fuzz_level" { path: str };
    /// Closed sets, one of them with `other`.
    histogram DENSE = "compozy_fuzz_dense_seconds" {
        method: Verb { Get = "get", Other = "other" },
        status_code: Code { Ok = "200", Bad = "400" },
    };
    /// Half closed.
    histogram MIXED = "compozy_fuzz_mixed_seconds" { method: Verb, path: str };
    /// Not to be overwritten by strays.
    gauge CLOSED = "compozy_fuzz_closed" { method: Verb };
}

const VERBS: &[&str] = &["get", "other"];
static DEFS: [Def; 6] = [
    Def { name: "compozy_fuzz_plain_total", help: "Without labels.", kind: Kind::Counter, labels: &[] },
    Def {
        name: "compozy_fuzz_text_total",
        help: "Free text, twice; \"quoted\" \\ and on two lines.",
        kind: Kind::Counter,
        labels: &[("path", None), ("method", None)],
    },
    Def { name: "compozy_fuzz_level", help: "A level.", kind: Kind::Gauge, labels: &[("path", None)] },
    Def {
        name: "compozy_fuzz_dense_seconds",
        help: "Closed sets, one of them with `other`.",
        kind: Kind::Histogram,
        labels: &[("method", Some(VERBS)), ("status_code", Some(&["200", "400"]))],
    },
    Def {
        name: "compozy_fuzz_mixed_seconds",
        help: "Half closed.",
        kind: Kind::Histogram,
        labels: &[("method", Some(VERBS)), ("path", None)],
    },
    Def {
        name: "compozy_fuzz_closed",
        help: "Not to be overwritten by strays.",
        kind: Kind::Gauge,
        labels: &[("method", Some(VERBS))],
    },
];

/// Names of nobody, of ours that nobody declared, and of declared families with and without a part of a histogram.
const NAMES: [&str; 18] = [
    "lib_total",
    "lib.total",
    "lib_size",
    "lib_seconds",
    "lib_seconds_count",
    "lib_seconds_bucket",
    "lib_size_sum",
    "lib_size_bucket",
    "9lives",
    "compozy_job_seconds",
    "compozy_http_x_total",
    "compozy_fuzz_plain_total",
    "compozy_fuzz_text_total",
    "compozy_fuzz_level",
    "compozy_fuzz_dense_seconds",
    "compozy_fuzz_dense_seconds_sum",
    "compozy_fuzz_mixed_seconds",
    "compozy_fuzz_closed",
];
const LABELS: [&str; 14] = [
    "path",
    "method",
    "status_code",
    "version",
    "a",
    "a.b",
    "a_b",
    "a:b",
    "le",
    "quantile",
    "__name__",
    "_",
    "user_id",
    "exported_le",
];
static VALUES: LazyLock<[String; 16]> = LazyLock::new(|| {
    [
        String::new(),
        "x".to_owned(),
        "get".to_owned(),
        "200".to_owned(),
        "other".to_owned(),
        "\"".to_owned(),
        "\\".to_owned(),
        "\\\\n\\".to_owned(),
        "a\nb\r\t\0".to_owned(),
        "\u{202e}\u{85}\u{2028}".to_owned(),
        "é".repeat(128),
        "é".repeat(129),
        "x".repeat(200),
        " x".to_owned(),
        "},a=\"".to_owned(),
        "\u{fffd}".to_owned(),
    ]
});
const NUMBERS: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.005,
    0.3,
    10.0,
    10.000_001,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    1e15,
    -1e300,
];

/// What stands before a flood.
const FLOOD: u16 = 0xf10d;

static METADATA: Metadata<'static> = Metadata::new("fuzz", Level::INFO, None);

/// Runs the operations that the bytes stand for, on a service and on a model.
pub fn exposition(data: &[u8]) {
    expose(data);
}

/// The same, and what was rendered last.
pub fn expose(data: &[u8]) -> String {
    let mut u = Unstructured::new(data);
    let (service, mut model) = (MonitoringService::for_test(), Model::default());
    let mut floods = 0;
    while !u.is_empty() {
        // What is cut off at the end was not asked for.
        if step(&mut u, &service, &mut model, &mut floods).is_err() {
            break;
        }
    }
    compare(&service, &mut model)
}

/// A service on which the operations were run, beside no model.
pub(crate) fn recorded(data: &[u8]) -> MonitoringService {
    let mut u = Unstructured::new(data);
    let (service, mut model) = (MonitoringService::for_test(), Model::default());
    let mut floods = 0;
    while !u.is_empty() && step(&mut u, &service, &mut model, &mut floods).is_ok() {}
    service
}

fn compare(service: &MonitoringService, model: &mut Model) -> String {
    let rendered = service.render();
    let exposed = text::parse(&rendered).unwrap_or_else(|error| panic!("{error}\n{rendered}"));
    model.compare(&exposed);
    rendered
}

fn step(u: &mut Unstructured<'_>, service: &MonitoringService, model: &mut Model, floods: &mut u8) -> Result<()> {
    match u.arbitrary::<u8>()? % 16 {
        0..=5 => {
            let (name, labels) = (pick(u, &NAMES)?, labels(u)?);
            let op = op(u, None)?;
            by_key(service, name, &labels, op);
            model.key(name, &pairs(&labels), op);
        }
        6..=11 => {
            let def = pick_ref(u, &DEFS)?;
            let [a, b] = [value(u)?, value(u)?];
            // A handle of ours drops a sample that is there no times; one of the `metrics` crate makes its series.
            let op = match op(u, Some(def.kind))? {
                Op::Record(value, 0) => Op::Record(value, 1),
                op => op,
            };
            let values = by_family(service, def, &a, &b, op);
            model.family(def, &values.iter().map(String::as_str).collect::<Vec<_>>(), op);
        }
        12 => {
            let (name, help) = (pick(u, &NAMES)?, value(u)?);
            service.recorder().describe_counter(KeyName::from(name), None, help.clone().into());
            model.describe(name, &help);
        }
        13 => {
            let index: usize = u.choose_index(DEFS.len())?;
            declare(service, index);
            model.declare(&DEFS[index]);
        }
        // More series than a family may have take a second: only where that is spelled out.
        14 if *floods == 0 && u.arbitrary::<u16>()? == FLOOD => {
            *floods += 1;
            let (name, op) = (pick(u, &NAMES)?, op(u, None)?);
            let count = CAP - 50 + usize::from(u.arbitrary::<u8>()?);
            for i in 0..count {
                let labels = [("path".to_owned(), i.to_string())];
                by_key(service, name, &labels, op);
                model.key(name, &pairs(&labels), op);
            }
        }
        // A large one is read once, at the end.
        _ if *floods > 0 => {}
        _ => {
            compare(service, model);
        }
    }
    Ok(())
}

fn by_key(service: &MonitoringService, name: &str, labels: &[(String, String)], op: Op) {
    let labels: Vec<_> = labels.iter().map(|(name, value)| Label::new(name.clone(), value.clone())).collect();
    let key = Key::from_parts(name.to_owned(), labels);
    let recorder = service.recorder();
    match op {
        Op::Increment(by) => recorder.register_counter(&key, &METADATA).increment(by),
        Op::Absolute(value) => recorder.register_counter(&key, &METADATA).absolute(value),
        Op::Add(by) => recorder.register_gauge(&key, &METADATA).increment(by),
        Op::Set(value) => recorder.register_gauge(&key, &METADATA).set(value),
        Op::Record(value, times) => {
            recorder.register_histogram(&key, &METADATA).record_many(value, times as usize);
        }
    }
}

/// Records through the family; the label values that this stands for.
fn by_family(service: &MonitoringService, def: &Def, a: &str, b: &str, op: Op) -> Vec<String> {
    let (verb, name) = if a.len().is_multiple_of(2) { (Verb::Get, "get") } else { (Verb::Other, "other") };
    let (code, number) = if b.len().is_multiple_of(2) { (Code::Ok, "200") } else { (Code::Bad, "400") };
    service.in_scope(|| match (def.name, op) {
        ("compozy_fuzz_plain_total", Op::Increment(by)) => {
            PLAIN.increment(by);
            vec![]
        }
        ("compozy_fuzz_plain_total", Op::Absolute(value)) => {
            PLAIN.absolute(value);
            vec![]
        }
        ("compozy_fuzz_text_total", Op::Increment(by)) => {
            TEXT.with(a, b).increment(by);
            vec![a.to_owned(), b.to_owned()]
        }
        ("compozy_fuzz_text_total", Op::Absolute(value)) => {
            TEXT.with(a, b).absolute(value);
            vec![a.to_owned(), b.to_owned()]
        }
        ("compozy_fuzz_level", Op::Add(by)) => {
            LEVEL.with(a).increment(by);
            vec![a.to_owned()]
        }
        ("compozy_fuzz_level", Op::Set(value)) => {
            LEVEL.with(a).set(value);
            vec![a.to_owned()]
        }
        ("compozy_fuzz_dense_seconds", Op::Record(value, times)) => {
            DENSE.with(verb, code).record_many(value, times as usize);
            vec![name.to_owned(), number.to_owned()]
        }
        ("compozy_fuzz_mixed_seconds", Op::Record(value, times)) => {
            MIXED.with(verb, b).record_many(value, times as usize);
            vec![name.to_owned(), b.to_owned()]
        }
        ("compozy_fuzz_closed", Op::Add(by)) => {
            CLOSED.with(verb).increment(by);
            vec![name.to_owned()]
        }
        ("compozy_fuzz_closed", Op::Set(value)) => {
            CLOSED.with(verb).set(value);
            vec![name.to_owned()]
        }
        other => unreachable!("{other:?}"),
    })
}

fn declare(service: &MonitoringService, index: usize) {
    match index {
        0 => service.register(&PLAIN),
        1 => service.register(&TEXT),
        2 => service.register(&LEVEL),
        3 => service.register(&DENSE),
        4 => service.register(&MIXED),
        _ => service.register(&CLOSED),
    }
}

fn pairs(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn pick<'a>(u: &mut Unstructured<'_>, from: &[&'a str]) -> Result<&'a str> {
    Ok(from[u.choose_index(from.len())?])
}

fn pick_ref(u: &mut Unstructured<'_>, from: &'static [Def]) -> Result<&'static Def> {
    Ok(&from[u.choose_index(from.len())?])
}

fn labels(u: &mut Unstructured<'_>) -> Result<Vec<(String, String)>> {
    (0..u.arbitrary::<u8>()? % 5).map(|_| Ok((pick(u, &LABELS)?.to_owned(), value(u)?))).collect()
}

fn value(u: &mut Unstructured<'_>) -> Result<String> {
    let kind = usize::from(u.arbitrary::<u8>()?);
    match VALUES.get(kind % 24) {
        Some(value) => Ok(value.clone()),
        None => Ok(u.arbitrary::<&str>()?.to_owned()),
    }
}

fn number(u: &mut Unstructured<'_>) -> Result<f64> {
    let kind = usize::from(u.arbitrary::<u8>()?);
    match NUMBERS.get(kind % 24) {
        Some(value) => Ok(*value),
        None => u.arbitrary(),
    }
}

fn op(u: &mut Unstructured<'_>, kind: Option<Kind>) -> Result<Op> {
    let kind = match kind {
        Some(kind) => kind,
        None => *u.choose(&[Kind::Counter, Kind::Gauge, Kind::Histogram])?,
    };
    let first = u.arbitrary::<u8>()?;
    let whole = |u: &mut Unstructured<'_>| match u.arbitrary::<u8>()? % 4 {
        0 => u.arbitrary(),
        1 => Ok(u64::MAX),
        _ => Ok(u64::from(u.arbitrary::<u8>()?)),
    };
    Ok(match (kind, first % 2) {
        (Kind::Counter, 0) => Op::Increment(whole(u)?),
        (Kind::Counter, _) => Op::Absolute(whole(u)?),
        (Kind::Gauge, 0) => Op::Add(number(u)?),
        (Kind::Gauge, _) => Op::Set(number(u)?),
        (Kind::Histogram, _) => Op::Record(number(u)?, u64::from(first / 2 % 6)),
    })
}
