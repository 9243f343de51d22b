//! A request from its start to its answer, or to the end without one.

use std::{fmt::Debug, ops::Deref, sync::Arc};

use http::StatusCode;

use super::{
    clock::{Clock, Reading},
    in_flight::{InFlight, InFlightGauge},
    labels::client_closed_request,
    templates::{Outcome, Path, SharedText, Templates, record_first},
};
use crate::{
    MonitoringService, builtin::catalogue::Method, dispatch::instance::Instance, schema::names::own_name,
    storage::store::Store,
};

/// What a framework knows of its routes.
pub(crate) trait Framework: Sized {
    /// A template as the framework has it.
    type Template: SharedText;
    /// What the framework keeps of each template that was seen.
    type Kept: Default;
    /// What it keeps of a request until there is an answer.
    type Request;

    /// What a request is counted under. `answered` is the template that came with the answer; there is none where no answer
    /// came.
    fn path<'a>(
        &'a self,
        templates: &'a Templates<Self::Template, Self::Kept>,
        store: &Store,
        request: &'a Self::Request,
        answered: Option<&'a Self::Template>,
        status: StatusCode,
    ) -> Path<'a, Self::Template>;

    /// The template that a request came with and is counted under, whatever the answer.
    #[inline]
    fn given<'a>(_: &'a Templates<Self::Template, Self::Kept>, _: &'a Self::Request) -> Option<&'a Self::Template> {
        None
    }

    /// The label of a template.
    fn label<'a>(&'a self, template: &'a str, _: Method) -> &'a str {
        template
    }

    /// A template is counted for the first time, with this method and status. `request` is there when the template came with
    /// an answer.
    fn learn(_: &Self::Kept, _template: &str, _request: Option<&Self::Request>) {}
}

/// What the requests of one middleware share.
#[derive(Debug)]
pub(crate) struct RequestTracker<F: Framework> {
    service: MonitoringService,
    skip: Vec<String>,
    pub(crate) framework: F,
    pub(crate) templates: Templates<F::Template, F::Kept>,
    in_flight: InFlightGauge,
    clock: Clock,
}

impl<F: Framework> RequestTracker<F> {
    pub(crate) fn new(service: &MonitoringService, skip: &[String], framework: F) -> Self {
        let instance = service.instance();
        Self {
            service: service.clone(),
            skip: skip.to_vec(),
            framework,
            templates: Templates::new(instance.map(|instance| instance.store().cap())),
            in_flight: InFlightGauge::default(),
            // A service that never was on measures nothing, and calibrates nothing.
            clock: if instance.is_some() { Clock::new() } else { Clock::uncalibrated() },
        }
    }

    #[inline]
    fn instance(&self) -> Option<&Instance> {
        self.service.instance_if_on().map(Arc::as_ref)
    }

    /// The service, if it is not the process's one: then its handlers run in its scope.
    #[inline]
    pub(crate) fn scope(&self) -> Option<&MonitoringService> {
        // Also while it is off: what its handlers record must not go to the process's service.
        self.service.instance().is_some_and(|instance| !instance.is_global()).then_some(&self.service)
    }

    /// Enters that scope.
    #[cfg(feature = "http-tower")]
    #[inline]
    pub(crate) fn enter(&self) -> Option<crate::dispatch::scope::Entered<'_>> {
        self.scope().map(MonitoringService::enter)
    }

    #[inline]
    fn record(&self, store: &Store, request: &F::Request, path: Path<'_, F::Template>, outcome: Outcome) {
        let full = match path {
            Path::Template(template) => template.text(),
            Path::Text(text) => text,
        };
        if !self.templates.record_known(full, outcome) {
            self.record_first(store, request, path, full, outcome);
        }
    }

    /// Counts a request whose template, method or status is new, or has no room among those that are kept. A skipped template
    /// always gets here, because nothing is kept for it.
    #[cold]
    fn record_first(
        &self,
        store: &Store,
        request: &F::Request,
        path: Path<'_, F::Template>,
        full: &str,
        outcome: Outcome,
    ) {
        let found = store
            .diagnostics
            .catch_and_report(own_name!("http_requests_total"), || self.templates.get_or_insert(full))
            .flatten();
        if let Some(found) = found {
            match path {
                Path::Template(template) => {
                    self.templates.keep(template, found);
                    F::learn(&found.cell.kept, full, Some(request));
                }
                Path::Text(_) => F::learn(&found.cell.kept, full, None),
            }
        }
        let label = self.framework.label(full, outcome.method);
        if !self.skip.iter().any(|skipped| skipped == full || skipped == label) {
            record_first(store, found.map(|found| &found.cell), label, outcome);
        }
    }
}

/// What the handler does now: it decides what a drop means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its code runs, or is just being called: a drop now is a panic that unwinds through us.
    Inside,
    /// It waits: a drop now is a client that left, a timeout or a shutdown.
    Outside,
    /// It answered.
    Finished,
}

/// A request that was counted in and not yet out. `H` leads to the tracker.
#[derive(Debug)]
pub(crate) struct InProgress<F: Framework, H: Deref<Target = RequestTracker<F>>> {
    tracker: H,
    method: Method,
    request: F::Request,
    started: Reading,
    in_flight: bool,
    phase: Phase,
}

impl<F: Framework, H: Deref<Target = RequestTracker<F>>> InProgress<F, H> {
    /// Counts a request in, unless monitoring is off.
    #[inline]
    pub(crate) fn start(tracker: H, request: impl FnOnce(&RequestTracker<F>) -> (Method, F::Request)) -> Option<Self> {
        let instance = tracker.instance()?;
        // First, as it may be the application's function, which may panic: nothing is counted in then.
        let (method, request) = request(&tracker);
        let in_flight = tracker.in_flight.enter(instance.store());
        let started = tracker.clock.now();
        Some(Self { tracker, method, request, started, in_flight, phase: Phase::Inside })
    }

    #[inline]
    pub(crate) fn enter(&mut self) {
        self.phase = Phase::Inside;
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.phase = Phase::Outside;
    }

    /// The response head is there: counts the request.
    #[inline]
    pub(crate) fn finish(&mut self, status: StatusCode, template: Option<&F::Template>) {
        self.phase = Phase::Finished;
        let Some(instance) = self.tracker.instance() else { return };
        let outcome = self.outcome(status);
        let template = template.or_else(|| F::given(&self.tracker.templates, &self.request));
        let known = template.and_then(|template| self.tracker.templates.recent(template));
        if !known.is_some_and(|known| known.record_known(outcome)) {
            self.record(instance.store(), template, outcome);
        }
    }

    /// The request is in flight until its body ends.
    pub(crate) fn hand_over(&mut self) -> Option<InFlight> {
        if std::mem::take(&mut self.in_flight) { self.tracker.in_flight.unit() } else { None }
    }

    fn outcome(&self, status: StatusCode) -> Outcome {
        Outcome { method: self.method, status, seconds: self.tracker.clock.seconds_since(self.started) }
    }

    #[inline(never)]
    fn record(&self, store: &Store, template: Option<&F::Template>, outcome: Outcome) {
        let (tracker, request) = (&*self.tracker, &self.request);
        let path = tracker.framework.path(&tracker.templates, store, request, template, outcome.status);
        tracker.record(store, request, path, outcome);
    }

    /// Without an answer. Counted only while the service is on: what it does after a shutdown is nobody's business.
    #[cold]
    fn abandoned(&self, status: StatusCode) {
        if let Some(instance) = self.tracker.instance() {
            self.record(instance.store(), None, self.outcome(status));
        }
    }
}

impl<F: Framework, H: Deref<Target = RequestTracker<F>>> Drop for InProgress<F, H> {
    #[inline]
    fn drop(&mut self) {
        match self.phase {
            Phase::Finished => {}
            Phase::Inside => self.abandoned(StatusCode::INTERNAL_SERVER_ERROR),
            Phase::Outside => self.abandoned(client_closed_request()),
        }
        if self.in_flight {
            self.tracker.in_flight.leave();
        }
    }
}
