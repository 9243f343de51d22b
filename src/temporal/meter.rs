//! The SDK's meter: keeps the SDK's own families in the store, and takes the outcomes of runs from them.

use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use metrics::{Key, Label};
use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, CounterBase, Gauge, GaugeBase, GaugeF64, GaugeF64Base, Histogram, HistogramBase,
    HistogramDuration, HistogramDurationBase, HistogramF64, HistogramF64Base, MetricAttributable, MetricAttributes,
    MetricParameters, NewAttributes, NoOpCoreMeter, UpDownCounter, UpDownCounterBase, default_buckets_for,
};

use super::{
    ledger::Outcome,
    queue::{Queue, UNREGISTERED},
    service_ref::ServiceRef,
};
use crate::{
    dispatch::instance::Instance,
    schema::{family::Kind, names::own_name},
    storage::{
        counter::{CounterCell, CounterOp},
        gauge::{GaugeCell, GaugeOp},
        histogram::{HistogramCell, HistogramOp},
        owner::Stored,
        resolved::Resolved,
        sanitize,
    },
    support::failpoint,
};

/// The prefix of the SDK's names. With another one, outcomes are not recognised.
const PREFIX: &str = "temporal_";
/// The attributes that name the workflow type, the type of an activity, and the task queue.
const WORKFLOW_TYPE: &str = "workflow_type";
const ACTIVITY_TYPE: &str = "activity_type";
const TASK_QUEUE: &str = "task_queue";

type Attributes = Arc<HashMap<String, String>>;

/// A meter of one service.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    service: ServiceRef,
    /// The runs that core has metrics for, by the address of their attributes.
    runs: Mutex<HashMap<usize, Weak<Run>>>,
}

/// One run in core's cache.
#[derive(Debug)]
struct Run {
    shared: Arc<Shared>,
    workflow_type: String,
    /// Whether its worker reports how long it ran.
    has_worker: bool,
    /// The last latency, until an outcome confirms it.
    latency: Mutex<Option<Duration>>,
    /// Kept, so that no other attributes get this address.
    attributes: Attributes,
}

impl Run {
    fn latency(&self) -> std::sync::MutexGuard<'_, Option<Duration>> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut runs = self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let address = address(&self.attributes);
        // Another run may have been made for the same attributes since the last handle on this one was dropped.
        if runs.get(&address).is_some_and(|run| run.strong_count() == 0) {
            runs.remove(&address);
        }
    }
}

fn address(attributes: &Attributes) -> usize {
    Arc::as_ptr(attributes).addr()
}

/// What an update of one of the SDK's families says about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    None,
    Outcome(Outcome),
    Latency,
}

impl Signal {
    fn of(name: &str) -> Self {
        match name.strip_prefix(PREFIX) {
            Some("workflow_completed") => Self::Outcome(Outcome::Completed),
            Some("workflow_failed") => Self::Outcome(Outcome::Failed),
            Some("workflow_canceled") => Self::Outcome(Outcome::Canceled),
            Some("workflow_continue_as_new") => Self::Outcome(Outcome::ContinuedAsNew),
            Some("workflow_endtoend_latency") => Self::Latency,
            _ => Self::None,
        }
    }
}

impl Meter {
    pub(crate) fn new(instance: &Arc<Instance>) -> Self {
        Self(Arc::new(Shared { service: ServiceRef::of(instance), runs: Mutex::default() }))
    }

    /// An instrument of this name, with its help.
    fn instrument(&self, params: &MetricParameters, unit: &str) -> Instrument {
        let store = self.0.service.store();
        let signal = Signal::of(&params.name);
        let _ = store.diagnostics.catch_and_report(&params.name, || {
            failpoint::point("instrument");
            self.0.service.ledger().set_meter();
            let help = match (params.description.trim(), unit) {
                ("", unit) => unit.to_owned(),
                (text, "") => text.to_owned(),
                (text, unit) => format!("{text}, in {unit}"),
            };
            if !help.is_empty() {
                store.describe_undeclared(&sanitize::metric_name(&params.name), &help);
            }
        });
        Instrument { meter: self.clone(), name: params.name.to_string(), signal }
    }

    /// The same for a histogram, with the SDK's bounds in this unit.
    fn histogram_of(&self, params: &MetricParameters, unit: &str, in_seconds: bool) -> Instrument {
        let instrument = self.instrument(params, unit);
        let store = self.0.service.store();
        let _ = store.diagnostics.catch_and_report(&params.name, || {
            let own_name = params.name.strip_prefix(PREFIX).unwrap_or(&params.name);
            store.bounded_histogram(&params.name, default_buckets_for(own_name, in_seconds));
        });
        instrument
    }

    /// The task queue of these attributes, if an instrumented worker is on it.
    fn queue(&self, attributes: &Attributes) -> Option<Arc<Queue>> {
        self.0.service.ledger().queues.get(attributes.get(TASK_QUEUE)?)
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
                has_worker: self.queue(attributes).is_some(),
                latency: Mutex::default(),
                attributes: attributes.clone(),
            });
            runs.insert(address(attributes), Arc::downgrade(&run));
            run
        }))
    }
}

/// An instrument that core has asked for.
#[derive(Clone, Debug)]
struct Instrument {
    meter: Meter,
    name: String,
    signal: Signal,
}

/// An instrument with its attributes: one series.
struct Bound<C: Stored> {
    meter: Meter,
    series: Arc<Resolved<C>>,
    signal: Signal,
    run: Option<Arc<Run>>,
    /// For a gauge: its task queue, and whether it was set.
    queue: Option<Arc<Queue>>,
    is_set: AtomicBool,
    /// Where updates go once the workflow type is known to be registered.
    own: Option<Own<C>>,
}

/// The series of a workflow type that was not known to be registered when core made its instruments. For the first run of a type,
/// core makes them before any code of the type runs. So the series are made at the first update.
struct Own<C: Stored> {
    instrument: Instrument,
    queue: Arc<Queue>,
    attributes: Attributes,
    registered: OnceLock<Resolved<C>>,
    unregistered: OnceLock<Resolved<C>>,
}

impl<C: Stored> Own<C> {
    fn apply(&self, op: C::Op) {
        let store = self.instrument.meter.0.service.store();
        let _ = store.diagnostics.catch_and_report(&self.instrument.name, || {
            if is_foreign(&self.queue, &self.attributes) {
                let unregistered = || {
                    let mut attributes = HashMap::clone(&self.attributes);
                    attributes.insert(WORKFLOW_TYPE.to_owned(), UNREGISTERED.to_owned());
                    self.instrument.series(&attributes)
                };
                self.unregistered.get_or_init(unregistered).apply(op);
            } else {
                self.registered.get_or_init(|| self.instrument.series(&self.attributes)).apply(op);
            }
        });
    }
}

impl Instrument {
    /// The series with these attributes. If there is a fault, updates go nowhere.
    fn bind<C: Stored>(&self, attributes: &MetricAttributes) -> Bound<C> {
        let service = &self.meter.0.service;
        let store = service.store();
        let bound = store.diagnostics.catch_and_report(&self.name, || {
            failpoint::point("bind");
            let attributes = labels(attributes);
            let run = match self.signal {
                Signal::Outcome(_) | Signal::Latency => self.meter.run(&attributes),
                _ => None,
            };
            let queue = self.meter.queue(&attributes);
            let has_families = service.has_sdk_families();
            let foreign = queue.clone().filter(|queue| has_families && is_foreign(queue, &attributes));
            let series = if has_families && foreign.is_none() { self.series(&attributes) } else { Resolved::Nothing };
            let own = foreign.map(|queue| Own {
                instrument: self.clone(),
                queue,
                attributes,
                registered: OnceLock::new(),
                unregistered: OnceLock::new(),
            });
            (series, run, queue.filter(|_| C::KIND == Kind::Gauge), own)
        });
        let (series, run, queue, own) = bound.unwrap_or((Resolved::Nothing, None, None, None));
        let (meter, series) = (self.meter.clone(), Arc::new(series));
        Bound { meter, series, signal: self.signal, run, queue, is_set: AtomicBool::new(false), own }
    }

    fn series<C: Stored>(&self, attributes: &HashMap<String, String>) -> Resolved<C> {
        let labels: Vec<Label> =
            // label-lint: allow(unresolved-label) the SDK's own families, with the SDK's labels
            attributes.iter().map(|(name, value)| Label::new(name.clone(), value.clone())).collect();
        // label-lint: allow(unresolved-name) likewise
        self.meter.0.service.store().resolve(&Key::from_parts(self.name.clone(), labels))
    }
}

impl<C: Stored> Bound<C> {
    fn record(&self, op: C::Op, value: u64, duration: Option<Duration>) {
        let service = &self.meter.0.service;
        if !service.records() {
            return;
        }
        match &self.own {
            Some(own) => own.apply(op),
            None => self.series.apply(op),
        }
        let Some(run) = &self.run else { return };
        let store = service.store();
        let _ = store.diagnostics.catch_and_report(own_name!("temporal_workflow_duration_seconds"), || {
            failpoint::point("signal");
            match self.signal {
                Signal::Latency if !run.has_worker => *run.latency() = duration,
                // Core counts one at a time.
                Signal::Outcome(outcome) if value > 0 => {
                    // Core reports no latency when the server's clock is ahead of this machine's. Then it counts as 0.
                    let duration = (!run.has_worker).then(|| run.latency().take().unwrap_or_default());
                    service.ledger().accepted(store, &run.workflow_type, outcome, duration);
                }
                _ => {}
            }
        });
    }
}

impl Bound<GaugeCell> {
    /// Sets a gauge. It is set back when the last worker of its task queue ends.
    fn set(&self, value: f64) {
        if let Some(queue) = &self.queue {
            if !queue.is_live() {
                return;
            }
            if !self.is_set.swap(true, Relaxed) {
                queue.has_gauge(self.series.clone());
            }
        }
        self.record(GaugeOp::Set(value), 1, None);
    }
}

impl Bound<HistogramCell> {
    fn sample(&self, value: f64, duration: Option<Duration>) {
        self.record(HistogramOp { value, times: 1 }, 1, duration);
    }
}

/// Whether the attributes name a workflow type that no worker of the queue is known to have. Not for the attributes of an activity: its
/// worker cannot know the workflow types of other workers.
fn is_foreign(queue: &Queue, attributes: &Attributes) -> bool {
    let is_unknown = attributes.get(WORKFLOW_TYPE).is_some_and(|workflow_type| !queue.has(workflow_type));
    is_unknown && !attributes.contains_key(ACTIVITY_TYPE)
}

/// Attributes as a map. This meter uses the variant `NoOp`, because core reads labels from it for its worker heartbeats. The name says
/// nothing about what is recorded.
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
    ($base:ident, $method:ident, $type:ty, $cell:ty, |$bound:ident, $v:ident| $update:expr) => {
        impl MetricAttributable<Box<dyn $base>> for Instrument {
            fn with_attributes(&self, attributes: &MetricAttributes) -> Result<Box<dyn $base>, Box<dyn Error>> {
                struct Update(Bound<$cell>);
                impl $base for Update {
                    fn $method(&self, $v: $type) {
                        let $bound = &self.0;
                        $update
                    }
                }
                Ok(Box::new(Update(self.bind(attributes))))
            }
        }
    };
}

instrument!(CounterBase, adds, u64, CounterCell, |bound, v| bound.record(CounterOp::Increment(v), v, None));
instrument!(GaugeBase, records, u64, GaugeCell, |bound, v| bound.set(v as f64));
instrument!(GaugeF64Base, records, f64, GaugeCell, |bound, v| bound.set(v));
instrument!(UpDownCounterBase, adds, i64, GaugeCell, |bound, v| bound.record(GaugeOp::Add(v as f64), 1, None));
instrument!(HistogramBase, records, u64, HistogramCell, |bound, v| bound.sample(v as f64, None));
instrument!(HistogramF64Base, records, f64, HistogramCell, |bound, v| bound.sample(v, None));
instrument!(HistogramDurationBase, records, Duration, HistogramCell, |bound, v| bound.sample(v.as_secs_f64(), Some(v)));
