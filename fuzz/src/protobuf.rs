//! A strict reader of delimited `io.prometheus.client.MetricFamily`: what is not in `metrics.proto`, is there twice or is cut
//! off is an error.

use std::collections::BTreeMap;

use crate::text::{Families, Family, Labels, Native};

type Result<T> = std::result::Result<T, String>;

/// The value of a field.
enum Value<'a> {
    Whole(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn whole(self) -> Result<u64> {
        if let Self::Whole(value) = self { Ok(value) } else { Err("no whole number".to_owned()) }
    }

    fn double(self) -> Result<f64> {
        if let Self::Double(value) = self { Ok(value) } else { Err("no double".to_owned()) }
    }

    fn bytes(self) -> Result<&'a [u8]> {
        if let Self::Bytes(value) = self { Ok(value) } else { Err("no bytes".to_owned()) }
    }

    fn text(self) -> Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|error| error.to_string())
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or("cut off")?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if *first < 0x80 {
            return if *first == 0 && shift > 0 { Err("longer than need be".to_owned()) } else { Ok(number) };
        }
    }
    Err("too long".to_owned())
}

fn taken<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8]> {
    let length = usize::try_from(length).map_err(|error| error.to_string())?;
    let (taken, rest) = bytes.split_at_checked(length).ok_or("cut off")?;
    *bytes = rest;
    Ok(taken)
}

/// The fields of a message.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Whole(varint(&mut bytes)?),
            1 => Value::Double(f64::from_le_bytes(taken(&mut bytes, 8)?.try_into().map_err(|_| "cut off")?)),
            2 => {
                let length = varint(&mut bytes)?;
                Value::Bytes(taken(&mut bytes, length)?)
            }
            kind => return Err(format!("kind {kind}")),
        };
        fields.push((key >> 3, value));
    }
    Ok(fields)
}

/// A number that may be negative: the sign is the lowest bit.
fn signed(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<()> {
    if place.replace(value).is_some() { Err("a field twice".to_owned()) } else { Ok(()) }
}

/// All families of an answer.
///
/// # Errors
/// What is wrong.
pub fn parse(mut bytes: &[u8]) -> Result<Families> {
    let mut families = Families::new();
    while !bytes.is_empty() {
        let length = varint(&mut bytes)?;
        let (name, family) = family(taken(&mut bytes, length)?)?;
        if families.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(format!("{name} is out of order"));
        }
        families.insert(name, family);
    }
    Ok(families)
}

fn family(bytes: &[u8]) -> Result<(String, Family)> {
    let (mut name, mut help, mut kind, mut unit, mut metrics) = (None, None, None, None, Vec::new());
    for (field, value) in fields(bytes)? {
        match field {
            1 => once(&mut name, value.text()?)?,
            2 => once(&mut help, value.text()?)?,
            3 => once(&mut kind, value.whole()?)?,
            4 => metrics.push(value.bytes()?),
            5 => once(&mut unit, value.text()?)?,
            field => return Err(format!("field {field} of a family")),
        }
    }
    let name = name.ok_or("no name")?;
    let kind = match kind {
        Some(0) => "counter",
        Some(1) => "gauge",
        Some(2) => "summary",
        Some(4) => "histogram",
        kind => return Err(format!("type {kind:?} of {name}")),
    };
    let base = if kind == "counter" { name.strip_suffix("_total").unwrap_or(&name) } else { &name };
    if unit.is_some_and(|unit| !base.ends_with(&format!("_{unit}"))) || metrics.is_empty() {
        return Err(format!("unit or metrics of {name}"));
    }
    let mut family = Family { help, kind: kind.to_owned(), ..Family::default() };
    for bytes in metrics {
        metric(&name, &mut family, bytes)?;
    }
    Ok((name, family))
}

fn metric(name: &str, family: &mut Family, bytes: &[u8]) -> Result<()> {
    let (mut labels, mut value) = (Labels::new(), None);
    for (field, part) in fields(bytes)? {
        match (field, family.kind.as_str()) {
            (1, _) => {
                let (mut label, mut text) = (None, None);
                for (field, part) in fields(part.bytes()?)? {
                    match field {
                        1 => once(&mut label, part.text()?)?,
                        2 => once(&mut text, part.text()?)?,
                        field => return Err(format!("field {field} of a label")),
                    }
                }
                let label = label.ok_or("a label without a name")?;
                if labels.insert(label, text.ok_or("a label without a value")?).is_some() {
                    return Err("a label twice".to_owned());
                }
            }
            (2, "gauge") | (3, "counter") | (4, "summary") | (7, "histogram") => once(&mut value, part.bytes()?)?,
            (field, kind) => return Err(format!("field {field} of a metric of a {kind}")),
        }
    }
    let kind = family.kind.clone();
    let mut put = |suffix: &str, extra: Option<(&str, f64)>, value: f64| {
        let mut labels = labels.clone();
        labels.extend(extra.map(|(label, value)| (label.to_owned(), value.to_string())));
        match family.samples.insert((format!("{name}{suffix}"), labels), value) {
            Some(_) => Err(format!("a sample of {name} twice")),
            None => Ok(()),
        }
    };
    let (mut first, mut count, mut sum, mut created) = (None, None, None, None);
    let mut total = 0;
    let mut parts = NativeParts::default();
    for (field, part) in fields(value.ok_or("a metric without a value")?)? {
        match (field, kind.as_str()) {
            (1, "counter" | "gauge") => once(&mut first, part.double()?)?,
            (1, _) => once(&mut count, part.whole()?)?,
            (2, "histogram" | "summary") => once(&mut sum, part.double()?)?,
            (3, "histogram") => {
                let (below, bound) = pair(part.bytes()?, |value| value.whole(), |value| value.double())?;
                if below < total || !bound.is_finite() {
                    return Err(format!("the buckets of {name} fall"));
                }
                total = below;
                put("_bucket", Some(("le", bound)), below as f64)?;
            }
            (3, "summary") => {
                let (quantile, value) = pair(part.bytes()?, |value| value.double(), |value| value.double())?;
                put("", Some(("quantile", quantile)), value)?;
            }
            (5, "histogram") => once(&mut parts.schema, signed(part.whole()?))?,
            (6, "histogram") => once(&mut parts.zero_threshold, part.double()?)?,
            (7, "histogram") => once(&mut parts.zero, part.whole()?)?,
            (9, "histogram") => parts.negative.0.push(part.bytes()?),
            (10, "histogram") => once(&mut parts.negative.1, part.bytes()?)?,
            (12, "histogram") => parts.positive.0.push(part.bytes()?),
            (13, "histogram") => once(&mut parts.positive.1, part.bytes()?)?,
            (3, "counter") | (4, "summary") | (15, "histogram") => once(&mut created, part.bytes()?)?,
            (field, kind) => return Err(format!("field {field} of a {kind}")),
        }
    }
    if kind != "gauge" {
        time(created.ok_or("no time")?)?;
    }
    match kind.as_str() {
        "counter" | "gauge" => put("", None, first.ok_or("no value")?)?,
        kind => {
            let count = count.ok_or("no count")?;
            if kind == "histogram" {
                if count < total {
                    return Err(format!("the buckets of {name} fall"));
                }
                put("_bucket", Some(("le", f64::INFINITY)), count as f64)?;
            }
            put("_sum", None, sum.ok_or("no sum")?)?;
            put("_count", None, count as f64)?;
            if let Some(native) = parts.read()? {
                if native.total() != count {
                    return Err(format!("the native histogram of {name} has {} samples of {count}", native.total()));
                }
                family.native.insert(labels, native);
            }
        }
    }
    Ok(())
}

/// The fields of a native histogram: spans and differences of counts are as they were read.
#[derive(Default)]
struct NativeParts<'a> {
    schema: Option<i64>,
    zero_threshold: Option<f64>,
    zero: Option<u64>,
    negative: (Vec<&'a [u8]>, Option<&'a [u8]>),
    positive: (Vec<&'a [u8]>, Option<&'a [u8]>),
}

impl NativeParts<'_> {
    fn read(self) -> Result<Option<Native>> {
        let [negative, positive] = [self.negative, self.positive].map(|(spans, deltas)| buckets(&spans, deltas));
        let (negative, positive) = (negative?, positive?);
        match (self.schema, self.zero_threshold, self.zero) {
            (None, None, None) if negative.is_empty() && positive.is_empty() => Ok(None),
            (Some(3), Some(threshold), Some(zero)) if threshold == 2f64.powi(-31) => {
                Ok(Some(Native { zero, negative, positive }))
            }
            other => Err(format!("schema, zero threshold and zero count: {other:?}")),
        }
    }
}

fn buckets(spans: &[&[u8]], deltas: Option<&[u8]>) -> Result<BTreeMap<i64, u64>> {
    let (mut counts, mut index, mut count) = (BTreeMap::new(), 0, 0u64);
    let mut rest = deltas.unwrap_or_default();
    if deltas.is_some_and(<[u8]>::is_empty) {
        return Err("differences of no bucket".to_owned());
    }
    for (i, span) in spans.iter().enumerate() {
        let (offset, length) = pair(span, Value::whole, Value::whole)?;
        let offset = signed(offset);
        if length == 0 || i > 0 && offset < 1 {
            return Err(format!("a span of {length} at {offset}"));
        }
        index += offset;
        for _ in 0..length {
            count = count.wrapping_add_signed(signed(varint(&mut rest)?));
            if count > 0 {
                counts.insert(index, count);
            }
            index += 1;
        }
    }
    if rest.is_empty() { Ok(counts) } else { Err("more differences than buckets".to_owned()) }
}

fn pair<'a, A, B>(
    bytes: &'a [u8],
    first: impl Fn(Value<'a>) -> Result<A>,
    second: impl Fn(Value<'a>) -> Result<B>,
) -> Result<(A, B)> {
    let (mut a, mut b) = (None, None);
    for (field, value) in fields(bytes)? {
        match field {
            1 => once(&mut a, first(value)?)?,
            2 => once(&mut b, second(value)?)?,
            field => return Err(format!("field {field} of a bucket or a quantile")),
        }
    }
    a.zip(b).ok_or_else(|| "half a bucket or a quantile".to_owned())
}

/// Seconds since 1970, and nanoseconds.
fn time(bytes: &[u8]) -> Result<()> {
    let (mut seconds, mut nanos) = (None, None);
    for (field, value) in fields(bytes)? {
        match field {
            1 => once(&mut seconds, value.whole()?)?,
            2 => once(&mut nanos, value.whole()?)?,
            field => return Err(format!("field {field} of a time")),
        }
    }
    let is_recent = seconds.is_some_and(|seconds| (1_700_000_000..10_000_000_000).contains(&seconds));
    if is_recent && nanos.unwrap_or(0) < 1_000_000_000 { Ok(()) } else { Err(format!("{seconds:?} {nanos:?}")) }
}
