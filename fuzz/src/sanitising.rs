//! Names, label names, label values and help of any text.

use std::borrow::Cow;

use arbitrary::{Result, Unstructured};
use compozy_monitoring::{
    MonitoringService,
    metrics::{Key, KeyName, Label, Level, Metadata},
};

use crate::{
    model::{Kind, Model, Op, metric_name},
    text,
};

static METADATA: Metadata<'static> = Metadata::new("fuzz", Level::INFO, None);

compozy_monitoring::families! {
    /// Free text.
    counter FREE = "compozy_fuzz_free_total" { path: str };
}

static DEF: crate::model::Def = crate::model::Def {
    name: "compozy_fuzz_free_total",
    help: "Free text.",
    kind: Kind::Counter,
    labels: &[("path", None)],
};

/// Registers what the bytes spell, and reads it back.
pub fn sanitising(data: &[u8]) {
    let _ = run(&mut Unstructured::new(data));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let (service, mut model) = (MonitoringService::for_test(), Model::default());
    for _ in 0..u.int_in_range(1..=4)? {
        let name: Cow<'_, str> = match u.arbitrary::<u8>()? % 4 {
            0 => format!("compozy_{}", u.arbitrary::<&str>()?).into(),
            _ => u.arbitrary::<&str>()?.into(),
        };
        // Those are monitoring's own, and declared.
        let clean = metric_name(&name);
        let is_own = |own: &str| clean.starts_with(own) || own.starts_with(&clean);
        if ["compozy_monitoring_", "compozy_uptime_", "compozy_build_info", "compozy_http_request"]
            .into_iter()
            .any(is_own)
        {
            continue;
        }
        let labels: Vec<(&str, &str)> =
            (0..u.int_in_range(0..=4)?).map(|_| Ok((u.arbitrary()?, u.arbitrary()?))).collect::<Result<_>>()?;
        let help: &str = u.arbitrary()?;
        if !help.is_empty() {
            service.recorder().describe_gauge(KeyName::from(name.to_string()), None, help.to_owned().into());
            model.describe(&name, help);
        }
        let pairs = labels.iter().map(|(name, value)| Label::new((*name).to_owned(), (*value).to_owned()));
        let key = Key::from_parts(name.to_string(), pairs.collect::<Vec<_>>());
        // Twice: the second time may take another way to the same series.
        for _ in 0..2 {
            if u.ratio(1, 4)? {
                service.recorder().register_histogram(&key, &METADATA).record(0.5);
                model.key(&name, &labels, Op::Record(0.5, 1));
            } else {
                service.recorder().register_counter(&key, &METADATA).increment(1);
                model.key(&name, &labels, Op::Increment(1));
            }
        }
        if let Some((_, value)) = labels.first() {
            service.in_scope(|| FREE.with(value).increment(1));
            model.family(&DEF, &[value], Op::Increment(1));
        }
    }
    let rendered = service.render();
    let exposed = text::parse(&rendered).unwrap_or_else(|error| panic!("{error}\n{rendered}"));
    model.compare(&exposed);
    for (_, labels) in exposed.values().flat_map(|family| family.samples.keys()) {
        assert!(labels.values().all(|value| value.chars().count() <= 128), "{labels:?}");
    }
    Ok(())
}
