//! The SDK's meter over our storage: its own families, and what the server says about the ends of runs.

use std::{
    cell::Cell as ThreadCell,
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use metrics::{Key, Label};
use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, CounterBase, Gauge, GaugeBase, GaugeF64, GaugeF64Base, Histogram, HistogramBase,
    HistogramDuration, HistogramDurationBase, HistogramF64, HistogramF64Base, MetricAttributable, MetricAttributes,
    MetricParameters, NewAttributes, NoOpCoreMeter, UpDownCounter, UpDownCounterBase, default_buckets_for,
};

use super::ledger::{Close, Eviction, Outcome};
use crate::{
    fault,
    recorder::{
        Resolved,
        cell::{Cell, CounterCell, CounterOp, GaugeCell, GaugeOp, HistogramCell, HistogramOp},
        guard,
    },
    service::{Part, Running},
    state,
};

/// What the SDK puts before its names; with another prefix, outcomes are not recognised.
const PREFIX: &str = "temporal_";
/// The attribute that names the workflow type.
const WORKFLOW_TYPE: &str = "workflow_type";

type Attributes = Arc<HashMap<String, String>>;

thread_local! {
    /// Core runs a worker's cache on one thread, and drops a run right after it has told the size of the cache and, if it
    /// was not for the run's end, that it dropped one.
    static EVICTION: ThreadCell<Eviction> = const { ThreadCell::new(Eviction { forced: false, left: 0 }) };
}

/// A meter of one service.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    service: Part,
    /// The runs that core has metrics for, by the address of their attributes.
    runs: Mutex<HashMap<usize, Weak<Run>>>,
}

/// One run in core's cache, as far as its metrics tell.
#[derive(Debug)]
struct Run {
    shared: Arc<Shared>,
    workflow_type: String,
    /// The last latency, until an outcome confirms it.
    latency: Mutex<Option<Close>>,
    /// Kept, so that no others get their address.
    attributes: Attributes,
}

impl Run {
    fn take(&self) -> Option<Close> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let close = self.take();
        let shared = &self.shared;
        let mut runs = shared.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let address = address(&self.attributes);
        // Another may have been made for the same attributes since the last handle on this one went.
        if runs.get(&address).is_some_and(|run| run.strong_count() == 0) {
            runs.remove(&address);
        }
        drop(runs);
        if let Some(close) = close
            && shared.service.records()
        {
            let store = shared.service.store();
            let _ = state::guarded("compozy_temporal_workflow_failed_total", store, || {
                store.ledger.dropped(store, &self.workflow_type, close, EVICTION.get());
            });
        }
    }
}

fn address(attributes: &Attributes) -> usize {
    Arc::as_ptr(attributes).addr()
}

/// What an update says beyond its own family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    None,
    Outcome(Outcome),
    Latency,
    CacheSize,
    ForcedEviction,
}

impl Signal {
    fn of(name: &str) -> Self {
        match name.strip_prefix(PREFIX) {
            Some("workflow_completed") => Self::Outcome(Outcome::Completed),
            Some("workflow_failed") => Self::Outcome(Outcome::Failed),
            Some("workflow_canceled") => Self::Outcome(Outcome::Canceled),
            Some("workflow_continue_as_new") => Self::Outcome(Outcome::ContinuedAsNew),
            Some("workflow_endtoend_latency") => Self::Latency,
            Some("sticky_cache_size") => Self::CacheSize,
            Some("sticky_cache_total_forced_eviction") => Self::ForcedEviction,
            _ => Self::None,
        }
    }
}

impl Meter {
    pub(crate) fn new(running: &Arc<Running>) -> Self {
        Self(Arc::new(Shared { service: Part::of(running), runs: Mutex::default() }))
    }

    /// An instrument of this name, with its help.
    fn instrument(&self, params: &MetricParameters, unit: &str) -> Instrument {
        let store = self.0.service.store();
        let signal = Signal::of(&params.name);
        let _ = state::guarded(&params.name, store, || {
            fault::point("instrument");
            store.ledger.has_meter();
            let help = match (params.description.trim(), unit) {
                ("", unit) => unit.to_owned(),
                (text, "") => text.to_owned(),
                (text, unit) => format!("{text}, in {unit}"),
            };
            if !help.is_empty() {
                store.describe_open(&guard::metric_name(&params.name), &help);
            }
        });
        Instrument { meter: self.clone(), name: params.name.to_string(), signal }
    }

    /// The same for a histogram, with the SDK's bounds in this unit.
    fn histogram_of(&self, params: &MetricParameters, unit: &str, in_seconds: bool) -> Instrument {
        let instrument = self.instrument(params, unit);
        let store = self.0.service.store();
        let _ = state::guarded(&params.name, store, || {
            let own_name = params.name.strip_prefix(PREFIX).unwrap_or(&params.name);
            store.bounded_histogram(&params.name, default_buckets_for(own_name, in_seconds));
        });
        instrument
    }

    /// The run with these attributes.
    fn run(&self, attributes: &Attributes) -> Option<Arc<Run>> {
        let workflow_type = attributes.get(WORKFLOW_TYPE)?;
        let mut runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let known = runs.get(&address(attributes)).and_then(Weak::upgrade);
        Some(known.unwrap_or_else(|| {
            let run = Arc::new(Run {
                shared: self.0.clone(),
                workflow_type: workflow_type.clone(),
                latency: Mutex::default(),
                attributes: attributes.clone(),
            });
            runs.insert(address(attributes), Arc::downgrade(&run));
            run
        }))
    }
}

/// A name that core asked for.
#[derive(Debug)]
struct Instrument {
    meter: Meter,
    name: String,
    signal: Signal,
}

/// An instrument with its attributes: one series.
struct Bound<C: Cell> {
    meter: Meter,
    series: Resolved<C>,
    signal: Signal,
    run: Option<Arc<Run>>,
}

impl Instrument {
    /// The series with these attributes; nothing goes to it when there is a fault.
    fn bind<C: Cell>(&self, attributes: &MetricAttributes) -> Bound<C> {
        let service = &self.meter.0.service;
        let store = service.store();
        let bound = state::guarded(&self.name, store, || {
            fault::point("bind");
            let attributes = labels(attributes);
            let run = match self.signal {
                Signal::Outcome(_) | Signal::Latency => self.meter.run(&attributes),
                _ => None,
            };
            let series = if service.has_sdk_families() { self.series(&attributes) } else { Resolved::Nothing };
            (series, run)
        });
        let (series, run) = bound.unwrap_or((Resolved::Nothing, None));
        Bound { meter: self.meter.clone(), series, signal: self.signal, run }
    }

    fn series<C: Cell>(&self, attributes: &Attributes) -> Resolved<C> {
        let labels: Vec<Label> =
            // label-lint: allow(unresolved-label) the SDK's own families, with the SDK's labels
            attributes.iter().map(|(name, value)| Label::new(name.clone(), value.clone())).collect();
        // label-lint: allow(unresolved-name) likewise
        self.meter.0.service.store().resolve(&Key::from_parts(self.name.clone(), labels))
    }
}

impl<C: Cell> Bound<C> {
    fn record(&self, op: C::Op, value: u64, duration: Option<Duration>) {
        // First: core took the time for a latency a moment ago.
        let now = duration.filter(|_| self.signal == Signal::Latency).map(|_| SystemTime::now());
        let service = &self.meter.0.service;
        if !service.records() {
            return;
        }
        self.series.apply(op);
        if self.signal == Signal::None {
            return;
        }
        let store = service.store();
        let _ = state::guarded("compozy_temporal_workflow_duration_seconds", store, || {
            fault::point("signal");
            match (self.signal, &self.run) {
                (Signal::CacheSize, _) => EVICTION.set(Eviction { forced: false, left: value }),
                (Signal::ForcedEviction, _) => EVICTION.set(Eviction { forced: true, ..EVICTION.get() }),
                (Signal::Latency, Some(run)) => {
                    if let (Some(duration), Some(now)) = (duration, now) {
                        let started = now.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH);
                        let close = Close { duration, started };
                        *run.latency.lock().unwrap_or_else(PoisonError::into_inner) = Some(close);
                    }
                }
                // Core counts one at a time.
                (Signal::Outcome(outcome), Some(run)) if value > 0 => {
                    store.ledger.accepted(store, &run.workflow_type, outcome, run.take());
                }
                _ => {}
            }
        });
    }
}

/// Attributes as a map. Ours are the variant that core itself reads labels from for its worker heartbeats; the name
/// says that it does nothing, which is up to the meter.
fn labels(attributes: &MetricAttributes) -> Attributes {
    match attributes {
        MetricAttributes::NoOp(labels) => labels.clone(),
        _ => Attributes::default(),
    }
}

impl CoreMeter for Meter {
    fn new_attributes(&self, attribs: NewAttributes) -> MetricAttributes {
        NoOpCoreMeter.new_attributes(attribs)
    }

    fn extend_attributes(&self, existing: MetricAttributes, attribs: NewAttributes) -> MetricAttributes {
        let mut all = labels(&existing);
        let labels = Arc::make_mut(&mut all);
        for pair in attribs.attributes {
            labels.insert(pair.key, pair.value.to_string());
        }
        MetricAttributes::NoOp(all)
    }

    fn counter(&self, params: MetricParameters) -> Counter {
        Counter::new(Arc::new(self.instrument(&params, &params.unit)))
    }

    fn histogram(&self, params: MetricParameters) -> Histogram {
        Histogram::new(Arc::new(self.histogram_of(&params, &params.unit, false)))
    }

    fn histogram_f64(&self, params: MetricParameters) -> HistogramF64 {
        HistogramF64::new(Arc::new(self.histogram_of(&params, &params.unit, false)))
    }

    fn histogram_duration(&self, params: MetricParameters) -> HistogramDuration {
        HistogramDuration::new(Arc::new(self.histogram_of(&params, "seconds", true)))
    }

    fn gauge(&self, params: MetricParameters) -> Gauge {
        Gauge::new(Arc::new(self.instrument(&params, &params.unit)))
    }

    fn gauge_f64(&self, params: MetricParameters) -> GaugeF64 {
        GaugeF64::new(Arc::new(self.instrument(&params, &params.unit)))
    }

    fn up_down_counter(&self, params: MetricParameters) -> UpDownCounter {
        UpDownCounter::new(Arc::new(self.instrument(&params, &params.unit)))
    }
}

/// An instrument of one kind: how it is bound, and what an update is.
macro_rules! instrument {
    ($base:ident, $method:ident, $type:ty, $cell:ty, |$v:ident| $op:expr, $value:expr, $duration:expr) => {
        impl MetricAttributable<Box<dyn $base>> for Instrument {
            fn with_attributes(&self, attributes: &MetricAttributes) -> Result<Box<dyn $base>, Box<dyn Error>> {
                struct Update(Bound<$cell>);
                impl $base for Update {
                    fn $method(&self, $v: $type) {
                        self.0.record($op, $value, $duration);
                    }
                }
                Ok(Box::new(Update(self.bind(attributes))))
            }
        }
    };
}

instrument!(CounterBase, adds, u64, CounterCell, |v| CounterOp::Increment(v), v, None);
instrument!(GaugeBase, records, u64, GaugeCell, |v| GaugeOp::Set(v as f64), v, None);
instrument!(GaugeF64Base, records, f64, GaugeCell, |v| GaugeOp::Set(v), 1, None);
instrument!(UpDownCounterBase, adds, i64, GaugeCell, |v| GaugeOp::Add(v as f64), 1, None);
instrument!(HistogramBase, records, u64, HistogramCell, |v| HistogramOp { value: v as f64, times: 1 }, 1, None);
instrument!(HistogramF64Base, records, f64, HistogramCell, |v| HistogramOp { value: v, times: 1 }, 1, None);
instrument!(
    HistogramDurationBase,
    records,
    Duration,
    HistogramCell,
    |v| HistogramOp { value: v.as_secs_f64(), times: 1 },
    1,
    Some(v)
);
