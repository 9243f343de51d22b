//! What is known of one request, and the numbers it leaves behind.
//!
//! The template of a request comes from the first of these that has one:
//!
//! 1. The answer: poem's router leaves a `PathPattern` on what a route answers. Only an error of a mount (`nest`) is looked at
//!    twice, because what is below it may have lost a template that says more.
//! 2. What this middleware has seen: the most specific of those templates that the path fits. The router would take the same
//!    one. Where two fit equally well, neither is known to be it.
//! 3. The mount of such an error; then the request, which has a template where the middleware is below a route.
//! 4. None: a 404 is `unmatched`, everything else is `unknown`.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use poem::{
    Body, PathPattern, Request, Response, Result,
    http::{StatusCode, uri::PathAndQuery},
};

use super::{
    gzipped,
    middleware::{HttpMetrics, UNKNOWN, UNMATCHED},
};
use crate::http::core::{
    clock::{Clock, Reading},
    method::method_of,
    path_matcher::{PathMatcher, Rank},
    template_aliases::{TemplateAliases, normalized},
};
use crate::{
    MonitoringService,
    builtin::catalogue::{HTTP_DURATION, HTTP_IN_FLIGHT, HTTP_REQUESTS, Method},
    dispatch::{instance::Instance, scope::Entered},
    schema::{
        family::{ClosedLabel, LabelDef, Text},
        limits::SERIES_CAP,
    },
    storage::{
        counter::{CounterCell, CounterOp},
        gauge::{GaugeCell, GaugeOp},
        histogram::{HistogramCell, HistogramOp},
        resolved::Resolved,
        sanitize,
        store::Store,
        text_table::{Found, TextTable},
    },
};

type BoxBody = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

/// The status of an answer that HTTP does not have.
const OTHER_STATUS: &str = "other";
/// Places for templates that are found by their address.
const RECENT: usize = 64;
/// How many different status codes of one template and method are kept; further ones are looked up each time.
const KEPT_STATUSES: usize = 8;

static PATH: [LabelDef; 1] = [LabelDef::of::<Text>("path")];

/// The middleware's side: the service, the templates seen so far and their series.
#[derive(Debug)]
pub(crate) struct RequestTracker {
    service: MonitoringService,
    skip: Vec<String>,
    names: TemplateAliases,
    in_flight: OnceLock<Arc<Resolved<GaugeCell>>>,
    templates: TextTable<Template>,
    recent: Recent,
    clock: Clock,
}

type TemplateSeries = crate::storage::series::Series<Template>;

/// What is kept of one template: its series by method, and what paths fit it.
#[derive(Debug, Default)]
struct Template {
    methods: [OnceLock<Box<Series>>; Method::VALUES.len()],
    known: OnceLock<Known>,
    /// What is below it, once a path was: then it is a mount.
    below: OnceLock<Option<PathMatcher>>,
}

/// A template as poem has it, whole: the table has it cut.
#[derive(Debug)]
struct Known {
    text: Box<str>,
    shape: Option<PathMatcher>,
}

impl Known {
    fn new(template: &str) -> Self {
        Self { text: template.into(), shape: PathMatcher::new(template) }
    }
}

impl Template {
    fn rank(&self, path: &str) -> Option<&[Rank]> {
        let own = self.known.get().and_then(|known| known.shape.as_ref()?.rank(path));
        own.or_else(|| self.below.get()?.as_ref()?.rank(path))
    }
}

/// The series of one template and method.
#[derive(Debug)]
struct Series {
    duration: Resolved<HistogramCell>,
    requests: [OnceLock<(StatusCode, Resolved<CounterCell>)>; KEPT_STATUSES],
}

impl Series {
    fn new(duration: Resolved<HistogramCell>) -> Self {
        Self { duration, requests: [const { OnceLock::new() }; KEPT_STATUSES] }
    }
}

impl RequestTracker {
    pub(crate) fn new(middleware: &HttpMetrics) -> Self {
        let HttpMetrics { service, skip, names } = middleware;
        let cap = service.running().map_or(SERIES_CAP, |running| running.store().cap().max(SERIES_CAP));
        let templates = TextTable::<Template>::new(&PATH, cap);
        // Known from the start: a skipped request that loses its template is skipped all the same.
        for template in skip {
            let template = names.of_poem(template);
            let series = templates.get(&[sanitize::truncate(template)]).series();
            series.cell.known.get_or_init(|| Known::new(template));
        }
        // A service that never was on measures nothing, and calibrates nothing.
        let clock = if service.running().is_some() { Clock::new() } else { Clock::uncalibrated() };
        let recent = Recent([const { OnceLock::new() }; RECENT]);
        Self {
            service: service.clone(),
            skip: skip.clone(),
            names: names.clone(),
            in_flight: OnceLock::new(),
            templates,
            recent,
            clock,
        }
    }

    #[inline]
    fn running(&self) -> Option<&Instance> {
        self.service.running().map(Arc::as_ref).filter(|running| running.is_on())
    }

    /// Whether the service is not the process's one, so that its handlers run in its scope.
    #[inline]
    pub(crate) fn has_scope(&self) -> bool {
        // Off or on: what the handlers of such a service record never is the process's.
        self.service.running().is_some_and(|running| !running.is_global())
    }

    /// That scope; nothing otherwise.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        self.has_scope().then(|| self.service.enter())
    }

    /// Counts a request in, unless monitoring is off.
    #[inline]
    pub(crate) fn start(&self, req: &Request) -> Option<InProgress<'_>> {
        let running = self.running()?;
        let in_flight = self.in_flight.get().or_else(|| self.find_in_flight(running.store()));
        if let Some(in_flight) = in_flight {
            in_flight.apply(GaugeOp::Add(1.0));
        }
        Some(InProgress {
            watch: self,
            running,
            method: method_of(req.method()),
            target: target(req),
            given: req.data::<PathPattern>().cloned(),
            started: self.clock.now(),
            in_flight,
            phase: Phase::Inside,
        })
    }

    #[cold]
    fn find_in_flight(&self, store: &Store) -> Option<&Arc<Resolved<GaugeCell>>> {
        let found = store
            .diagnostics
            .catch_and_report("compozy_http_requests_in_flight", || HTTP_IN_FLIGHT.lazy.series_in(store, &[]));
        found.map(|found| self.in_flight.get_or_init(|| Arc::new(found)))
    }

    /// The most specific template seen so far that the path fits; nothing where two are equally so.
    fn seen(&self, path: &str) -> Option<&Known> {
        let mut best: Option<(&[Rank], &Template)> = None;
        let mut is_tied = false;
        for series in self.templates.own() {
            let Some(rank) = series.cell.rank(path) else { continue };
            match best {
                Some((least, _)) if rank > least => {}
                Some((least, _)) if rank == least => is_tied = true,
                _ => (best, is_tied) = (Some((rank, &series.cell)), false),
            }
        }
        best.filter(|_| !is_tied)?.1.known.get()
    }

    /// The same for a request of which it is not known whether a route took it as it came: poem's `NormalizePath` may have
    /// changed its slashes.
    fn seen_as_normalized(&self, path: &str) -> Option<&Known> {
        let trimmed = normalized(path);
        let trimmed = trimmed.trim_end_matches('/');
        self.seen(path).or_else(|| self.seen(trimmed)).or_else(|| self.seen(&format!("{trimmed}/")))
    }

    /// Counts a request whose template, method and status were seen before; says whether that was so.
    #[inline]
    fn record_known(&self, template: &Template, method: Method, status: StatusCode, seconds: f64) -> bool {
        let Some(series) = template.methods.get(method.index()).and_then(OnceLock::get) else { return false };
        let known = series.requests.iter().map_while(OnceLock::get).find(|(known, _)| *known == status);
        let Some((_, requests)) = known else { return false };
        series.duration.apply(HistogramOp { value: seconds, times: 1 });
        requests.apply(CounterOp::Increment(1));
        true
    }

    fn record(&self, store: &Store, request: &InProgress<'_>, path: Path<'_>, status: StatusCode, seconds: f64) {
        let full = path.text();
        let text = sanitize::truncate(full);
        // A template that is cut is known by more than its label: it may be a skipped one.
        let template = if text.len() == full.len() { self.templates.peek(&[text]) } else { None };
        if !template.is_some_and(|template| self.record_known(&template.cell, request.method, status, seconds)) {
            self.record_first(store, request, path, status, seconds);
        }
    }

    /// The first time that a template, a method or a status is seen, and whatever does not fit what is kept. A skipped
    /// template always gets here, because nothing is kept of it.
    ///
    /// A series is found before it is put in its place, and not while the place is locked: what that logs can make a
    /// request of its own, which needs the same place.
    #[cold]
    fn record_first(&self, store: &Store, request: &InProgress<'_>, path: Path<'_>, status: StatusCode, seconds: f64) {
        let (full, method) = (path.text(), request.method);
        let label = self.names.restored(full, method);
        let text = sanitize::truncate(full);
        // Two attempts: when one family is at fault, the other is counted all the same.
        let found = store.diagnostics.catch_and_report("compozy_http_requests_total", || self.templates.get(&[text]));
        let template = match found {
            Some(Found::Series(template)) => {
                template.cell.known.get_or_init(|| Known::new(full));
                if let Path::Pattern(pattern) = path {
                    self.recent.keep(pattern, template);
                    if request.is_below(full) {
                        template.cell.below.get_or_init(|| PathMatcher::new(&format!("{full}/*")));
                    }
                }
                Some(&template.cell)
            }
            // More templates than a family may have series: the families themselves fold them.
            Some(Found::Overflow(_)) | None => None,
        };
        if self.skip.iter().any(|skipped| skipped == full || skipped == label) {
            return;
        }
        let slot = template.and_then(|template| template.methods.get(method.index()));
        let _ = store.diagnostics.catch_and_report("compozy_http_request_duration_seconds", || {
            let kept = slot.map(|slot| {
                if slot.get().is_none() {
                    let _ = slot.set(Box::new(Series::new(duration_of(store, method, label))));
                }
                slot.get()
            });
            let sample = HistogramOp { value: seconds, times: 1 };
            match kept.flatten() {
                Some(series) => series.duration.apply(sample),
                None => duration_of(store, method, label).apply(sample),
            }
        });
        let _ = store.diagnostics.catch_and_report("compozy_http_requests_total", || {
            let one = CounterOp::Increment(1);
            let mut own = requests_of(store, method, label, status);
            for slot in slot.and_then(OnceLock::get).iter().flat_map(|series| &series.requests) {
                // Full, by another status or in the meantime by another request: it gives back what it was to take.
                match slot.set((status, own)) {
                    Ok(()) => return slot.get().into_iter().for_each(|(_, requests)| requests.apply(one)),
                    Err((_, back)) => own = back,
                }
                if let Some((known, requests)) = slot.get()
                    && *known == status
                {
                    return requests.apply(one);
                }
            }
            own.apply(one);
        });
    }
}

/// What a request is counted under.
#[derive(Clone, Copy)]
enum Path<'a> {
    Pattern(&'a PathPattern),
    Text(&'a str),
}

impl<'a> Path<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Pattern(pattern) => &pattern.0,
            Self::Text(text) => text,
        }
    }
}

/// Templates by the address of poem's text, which is the same for each request of a route that is not nested. The text is
/// kept, so that nothing else can come to lie there.
#[derive(Debug)]
struct Recent([OnceLock<(PathPattern, Arc<TemplateSeries>)>; RECENT]);

impl Recent {
    #[inline]
    fn slot(&self, pattern: &PathPattern) -> Option<&OnceLock<(PathPattern, Arc<TemplateSeries>)>> {
        let address = Arc::as_ptr(&pattern.0).addr();
        self.0.get((address >> 4 ^ address >> 10) % RECENT)
    }

    #[inline]
    fn get(&self, pattern: &PathPattern) -> Option<&Template> {
        let (kept, template) = self.slot(pattern)?.get()?;
        Arc::ptr_eq(&kept.0, &pattern.0).then_some(&template.cell)
    }

    /// The first one in a place stays.
    fn keep(&self, pattern: &PathPattern, template: &Arc<TemplateSeries>) {
        if let Some(slot) = self.slot(pattern) {
            slot.get_or_init(|| (pattern.clone(), template.clone()));
        }
    }
}

fn duration_of(store: &Store, method: Method, path: &str) -> Resolved<HistogramCell> {
    HTTP_DURATION.lazy.series_in(store, &[method_label(method), path])
}

fn requests_of(store: &Store, method: Method, path: &str, status: StatusCode) -> Resolved<CounterCell> {
    HTTP_REQUESTS.lazy.series_in(store, &[method_label(method), path, status_label(&status)])
}

/// An answer has 101 or a status of the classes 2xx to 5xx. A handler can return any number up to 999.
fn status_label(status: &StatusCode) -> &str {
    match status.as_u16() {
        101 | 200..=599 => status.as_str(),
        _ => OTHER_STATUS,
    }
}

fn method_label(method: Method) -> &'static str {
    Method::VALUES.get(method.index()).copied().unwrap_or_default()
}

/// What the client asked for. `nest` rewrites the URI; a request that no server made has the rewritten one only.
#[inline]
fn target(req: &Request) -> Option<PathAndQuery> {
    let original = req.original_uri().path_and_query();
    // Of the root either will do.
    original.filter(|target| target.as_str().len() > 1).or_else(|| req.uri().path_and_query()).cloned()
}

/// Where the handler is while we are not looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its code runs, or is just being called: a drop now is a panic that unwinds through us.
    Inside,
    /// It waits: a drop now is a client that left, a timeout or a shutdown.
    Outside,
    /// It answered.
    Finished,
}

/// A request that was counted in and not yet out.
#[derive(Debug)]
pub(crate) struct InProgress<'a> {
    watch: &'a RequestTracker,
    running: &'a Instance,
    method: Method,
    /// For the case that the template gets lost. Never a label value.
    target: Option<PathAndQuery>,
    /// The template that the request came with: the middleware is below a route.
    given: Option<PathPattern>,
    started: Reading,
    in_flight: Option<&'a Arc<Resolved<GaugeCell>>>,
    phase: Phase,
}

impl InProgress<'_> {
    #[inline]
    pub(crate) fn enter(&mut self) {
        self.phase = Phase::Inside;
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.phase = Phase::Outside;
    }

    /// The response head is there: counts the request, and hands the in-flight token to a body that streams.
    pub(crate) fn finish(&mut self, result: &mut Result<Response>) {
        self.phase = Phase::Finished;
        let (status, template) = match &*result {
            Ok(response) => (response.status(), response.data::<PathPattern>()),
            Err(error) => (error.status(), error.data::<PathPattern>()),
        };
        if self.running.is_on() {
            let seconds = self.watch.clock.seconds_since(self.started);
            let known = template.and_then(|template| self.watch.recent.get(template));
            if !known.is_some_and(|known| self.watch.record_known(known, self.method, status, seconds)) {
                self.record_by_text(template, status, seconds);
            }
        }
        let Some(in_flight) = self.in_flight.take() else { return };
        if let Ok(response) = result
            && status != StatusCode::SWITCHING_PROTOCOLS
        {
            let body: BoxBody = response.take_body().into();
            if body.size_hint().exact().is_some() {
                response.set_body(Body::from(body));
            } else if !gzipped::restore(response, matches!(self.method, Method::Head)) {
                let in_flight = Some(InFlight(in_flight.clone()));
                response.set_body(Body::from(BoxBody::new(Streamed { body, in_flight })));
                return;
            }
        }
        in_flight.apply(GaugeOp::Add(-1.0));
    }

    /// Whether the path lies below a template, which is a mount then.
    fn is_below(&self, template: &str) -> bool {
        let rest = self.target.as_ref().and_then(|target| target.path().strip_prefix(template));
        rest.is_some_and(|rest| rest.starts_with('/') && !rest.trim_matches('/').is_empty())
    }

    #[inline(never)]
    fn record_by_text(&self, template: Option<&PathPattern>, status: StatusCode, seconds: f64) {
        let is_error = status.is_client_error() || status.is_server_error();
        let path = match template {
            Some(template) if is_error && (template.0.is_empty() || self.is_below(&template.0)) => {
                return self.record_without_template(Some(template), status, seconds);
            }
            // poem has no name for what is nested at the root.
            Some(template) if template.0.is_empty() => Path::Text("/"),
            Some(template) => Path::Pattern(template),
            None => return self.record_without_template(None, status, seconds),
        };
        self.watch.record(self.running.store(), self, path, status, seconds);
    }

    /// With the template of a mount at the most.
    #[cold]
    fn record_without_template(&self, mount: Option<&PathPattern>, status: StatusCode, seconds: f64) {
        let (store, is_found) = (self.running.store(), status != StatusCode::NOT_FOUND);
        let seen = store.diagnostics.catch_and_report("compozy_http_requests_total", || {
            let path = self.target.as_ref()?.path();
            if is_found { self.watch.seen_as_normalized(path) } else { self.watch.seen(path) }
        });
        let mount = mount.or(self.given.as_ref());
        let path = match (seen.flatten(), mount) {
            (Some(seen), _) => Path::Text(&seen.text),
            (None, Some(mount)) if !mount.0.is_empty() => Path::Pattern(mount),
            (None, Some(_)) if is_found => Path::Text("/"),
            _ => Path::Text(if is_found { UNKNOWN } else { UNMATCHED }),
        };
        self.watch.record(store, self, path, status, seconds);
    }

    /// Without an answer. Counted only while the service is on: what it does after a shutdown is nobody's business.
    #[cold]
    fn abandoned(&self, status: StatusCode) {
        if self.running.is_on() {
            self.record_without_template(None, status, self.watch.clock.seconds_since(self.started));
        }
    }
}

impl Drop for InProgress<'_> {
    #[inline]
    fn drop(&mut self) {
        match self.phase {
            Phase::Finished => {}
            Phase::Inside => self.abandoned(StatusCode::INTERNAL_SERVER_ERROR),
            Phase::Outside => self.abandoned(client_closed_request()),
        }
        if let Some(in_flight) = self.in_flight {
            in_flight.apply(GaugeOp::Add(-1.0));
        }
    }
}

/// 499, as nginx counts a client that left before the answer.
fn client_closed_request() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}

/// A unit of the in-flight gauge that outlives the request: it goes with the body.
#[derive(Debug)]
struct InFlight(Arc<Resolved<GaugeCell>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.apply(GaugeOp::Add(-1.0));
    }
}

/// A body that keeps its request in flight until it ends, fails or is dropped.
struct Streamed {
    body: BoxBody,
    in_flight: Option<InFlight>,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.in_flight = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
