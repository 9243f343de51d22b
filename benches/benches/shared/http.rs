//! A request in process, without a socket: the bare route, with our middleware, with one that does nothing, with poem's
//! own OpenTelemetry metrics over a real meter, and the pair axum and axum-prometheus. All in steady state.
//!
//! What counts is what the middleware adds. Beside nanoseconds there are instructions, because the difference of two
//! microseconds is noisy. Ends with lines `ratio NAME VALUE TARGET ok|short|inconclusive`, where VALUE is nanoseconds,
//! instructions, or our addition over the peer's.

use std::{
    convert::Infallible,
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use axum_prometheus::PrometheusMetricLayer;
use compozy_monitoring::{Config, MonitoringService};
use compozy_monitoring_benches::{Round, Target};
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry_instrumentation_tower::http::server as telemetry;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{PeriodicReader, SdkMeterProvider, Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
};
use opentelemetry_sdk_of_tower::metrics as sdk_of_tower;
use poem::{
    Endpoint, EndpointExt, IntoResponse, Middleware, Request, Response, Route, get, handler,
    http::{StatusCode, Uri},
    middleware::OpenTelemetryMetrics,
    web::Path,
};
use tower_http::{metrics::InFlightRequestsLayer, trace::TraceLayer};
use tower_layer::Layer;
use tower_service::Service;

/// Which allocator the target was built with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Allocator {
    #[allow(dead_code, reason = "each target is one of the two")]
    System,
    #[allow(dead_code, reason = "each target is one of the two")]
    SizeClasses,
}

/// Half a per cent of what a request over loopback costs poem in CPU.
const NANOS: f64 = 87.0;
const INSTRUCTIONS: f64 = 350.0;
const TIMES: usize = 2_000;
const PATH: &str = "/api/v1/users/7";

#[handler]
fn user(Path(id): Path<u64>) -> String {
    format!("{{\"id\":{id}}}\n")
}

#[handler]
fn plain() -> &'static str {
    "ok\n"
}

fn routes() -> Route {
    Route::new().at("/api/v1/users/:id", get(user)).at("/health", get(plain))
}

/// A request from its head to its answer; nothing in it waits.
fn send<E: Endpoint<Output = Response>>(endpoint: &E, uri: &Uri) -> StatusCode {
    let future = pin!(endpoint.get_response(Request::builder().uri(uri.clone()).finish()));
    now(future).status()
}

fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

/// The least that a middleware of poem can be: it only makes the handler's answer a response.
struct Nothing;

struct NothingEndpoint<E>(E);

impl<E: Endpoint> Middleware<E> for Nothing {
    type Output = NothingEndpoint<E>;
    fn transform(&self, endpoint: E) -> Self::Output {
        NothingEndpoint(endpoint)
    }
}

impl<E: Endpoint> Endpoint for NothingEndpoint<E> {
    type Output = Response;
    async fn call(&self, req: Request) -> poem::Result<Response> {
        self.0.call(req).await.map(IntoResponse::into_response)
    }
}

/// Where the meter's numbers would go once an hour: the aggregation before it is what is measured.
#[derive(Debug)]
struct Nowhere;

impl PushMetricExporter for Nowhere {
    async fn export(&self, _: &ResourceMetrics) -> OTelSdkResult {
        Ok(())
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

impl sdk_of_tower::exporter::PushMetricExporter for Nowhere {
    async fn export(
        &self,
        _: &sdk_of_tower::data::ResourceMetrics,
    ) -> opentelemetry_sdk_of_tower::error::OTelSdkResult {
        Ok(())
    }
    fn force_flush(&self) -> opentelemetry_sdk_of_tower::error::OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> opentelemetry_sdk_of_tower::error::OTelSdkResult {
        Ok(())
    }
    fn temporality(&self) -> sdk_of_tower::Temporality {
        sdk_of_tower::Temporality::Cumulative
    }
}

/// A request to axum, as `send`.
fn send_axum(router: &mut axum::Router, uri: &Uri) -> StatusCode {
    let mut request = axum::extract::Request::new(axum::body::Body::empty());
    *request.uri_mut() = uri.clone();
    match now(router.call(request)) {
        Ok(response) => response.status(),
        Err(never) => match never {},
    }
}

/// All rows of one target.
pub fn all(round: &Round, allocator: Allocator) {
    let off = MonitoringService::new(None).map(|service| routes().with(service.http_middleware()));
    let (Ok(off), Ok(service)) = (off, MonitoringService::new(Config::default().enabled(true))) else { return };
    assert!(service.is_enabled(), "something else is the process's recorder");
    let reader = PeriodicReader::builder(Nowhere).with_interval(Duration::from_secs(3_600)).build();
    opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(reader).build());
    let reader = sdk_of_tower::PeriodicReader::builder(Nowhere).with_interval(Duration::from_secs(3_600)).build();
    opentelemetry_of_tower::global::set_meter_provider(
        sdk_of_tower::SdkMeterProvider::builder().with_reader(reader).build(),
    );
    // As the thread's own recorder, which the macros of `metrics` ask before any global one.
    let exporter = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&exporter, || {
        added(round, allocator, &service, &off);
        peers(round, &service);
        tower(round, &service);
        growth(round, &service);
    });
    if !round.is_partial() {
        let text = service.render();
        let counted = "compozy_http_requests_total{method=\"GET\",path=\"/api/v1/users/:id\",status_code=\"200\"} ";
        let count = text.lines().find_map(|line| line.strip_prefix(counted)?.parse::<u64>().ok());
        assert!(count.is_some_and(|count| count > 100), "the middleware did not count:\n{text}");
        let peer = exporter.handle().render();
        assert!(peer.contains("axum_http_requests_total{"), "axum-prometheus did not count:\n{peer}");
    }
}

fn uri(path: &str) -> Uri {
    // Not a static one: that of a server is counted by references.
    let uri: Uri = path.to_owned().parse().unwrap_or_default();
    let _ = uri.clone();
    uri
}

/// Over the bare route, and over a middleware that does nothing.
fn added(round: &Round, allocator: Allocator, service: &MonitoringService, off: &impl Endpoint<Output = Response>) {
    let (of_bare, of_nothing) = match allocator {
        Allocator::System => (Target::none(), Target::most(NANOS)),
        Allocator::SizeClasses => (Target::most(NANOS), Target::none()),
    };
    let uri = uri(PATH);
    let bare = routes().map_to_response();
    let with = routes().with(service.http_middleware());
    let nothing = routes().with(Nothing);
    let ours = |_: usize| _ = black_box(send(&with, &uri));
    let bare_one = |_: usize| _ = black_box(send(&bare, &uri));
    let nothing_one = |_: usize| _ = black_box(send(&nothing, &uri));
    let off_one = |_: usize| _ = black_box(send(off, &uri));
    // The floor, on the machine and in the run: a duration takes two reads of a clock.
    let counter = quanta::Clock::new();
    let two_counts = |_: usize| _ = black_box(counter.delta_as_nanos(black_box(counter.raw()), counter.raw()));
    round.added("floor/two-counter-reads", Target::none(), two_counts, |_| ());
    let clock = |_: usize| _ = black_box(black_box(Instant::now()).elapsed().as_secs_f64());
    round.added("floor/two-clock-reads", Target::none(), clock, |_| ());
    round.added("added/bare-route", of_bare.without_allocations(), ours, bare_one);
    round.added("added/do-nothing", of_nothing.without_allocations(), ours, nothing_one);
    let (ours_many, bare_many) = (|_: usize, i: usize| ours(i), |_: usize, i: usize| bare_one(i));
    round.added_growth("added/bare-route/growth", Target::most(1.5), 2, ours_many, bare_many);
    round.added("added/disabled", Target::none().without_allocations(), off_one, bare_one);
    let most = Target::most(INSTRUCTIONS);
    round.instructions("added/bare-route/instructions", most, TIMES, ours, bare_one);
    round.instructions("added/do-nothing/instructions", most, TIMES, ours, nothing_one);
    round.instructions("added/disabled/instructions", Target::none(), TIMES, off_one, bare_one);
}

async fn axum_user(axum::extract::Path(id): axum::extract::Path<u64>) -> String {
    format!("{{\"id\":{id}}}\n")
}

/// With a layer, as `axum::serve` has it: `with_state` makes the routes once, where they would be made for each request.
fn axum_with<L>(layer: L) -> axum::Router
where
    L: Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
    L::Service: Service<axum::extract::Request, Error: Into<Infallible>, Response: axum::response::IntoResponse, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    axum_routes().layer(layer).with_state(())
}

fn axum_routes() -> axum::Router {
    axum::Router::new()
        .route("/api/v1/users/{id}", axum::routing::get(axum_user))
        .route("/health", axum::routing::get(async || "ok\n"))
}

/// The least that a layer can be: axum makes a boxed route of it all the same.
#[derive(Clone)]
struct NothingLayer;

#[derive(Clone)]
struct NothingService<S>(S);

impl<S> Layer<S> for NothingLayer {
    type Service = NothingService<S>;
    fn layer(&self, inner: S) -> Self::Service {
        NothingService(inner)
    }
}

impl<R, S: Service<R>> Service<R> for NothingService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }
    fn call(&mut self, request: R) -> Self::Future {
        self.0.call(request)
    }
}

/// What ours adds in axum, for each of its peers: over a layer that does nothing, which is run twice.
struct Beside<'a, A, B, C> {
    round: &'a Round,
    ours: &'a mut A,
    nothing: &'a mut B,
    again: &'a mut C,
}

impl<A: FnMut(usize), B: FnMut(usize), C: FnMut(usize)> Beside<'_, A, B, C> {
    fn peer(&mut self, name: &str, target: Target, mut peer: impl FnMut(usize)) {
        let name = format!("tower/overhead/{name}");
        self.round.overhead(&name, target, (&mut *self.ours, &mut *self.nothing), (&mut peer, &mut *self.again));
        let name = format!("{name}/instructions");
        let (ours, peer) = ((&mut *self.ours, &mut *self.nothing), (&mut peer, &mut *self.again));
        self.round.instructions_overhead(&name, target, TIMES, ours, peer);
    }
}

/// The layer of tower, around a service that does nothing and in axum, where its peers are.
fn tower(round: &Round, service: &MonitoringService) {
    type Answer = axum::http::Response<axum::body::Body>;
    /// A service that answers at once.
    #[derive(Clone)]
    struct Bare;
    impl Service<axum::extract::Request> for Bare {
        type Response = Answer;
        type Error = std::convert::Infallible;
        type Future = std::future::Ready<Result<Answer, Self::Error>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: axum::extract::Request) -> Self::Future {
            std::future::ready(Ok(Answer::default()))
        }
    }
    let uri = uri(PATH);
    let request = || {
        let mut request = axum::extract::Request::new(axum::body::Body::empty());
        *request.uri_mut() = uri.clone();
        request
    };
    let mut with = service.http_layer().template(|_| Some("/api/v1/users/{id}")).layer(Bare);
    let mut ours = |_: usize| _ = black_box(now(with.call(request())));
    let mut bare_one = |_: usize| _ = black_box(now(Bare.call(request())));
    round.added("tower/added/bare-service", Target::none().without_allocations(), &mut ours, &mut bare_one);
    let name = "tower/added/bare-service/instructions";
    round.instructions(name, Target::none(), TIMES, &mut ours, &mut bare_one);

    let mut bare = axum_routes().with_state(());
    let mut with = axum_with(service.http_layer());
    let mut nothing = axum_with(NothingLayer);
    let mut peer = axum_with(PrometheusMetricLayer::new());
    let mut bare_one = |_: usize| _ = black_box(send_axum(&mut bare, &uri));
    let mut ours = |_: usize| _ = black_box(send_axum(&mut with, &uri));
    let mut nothing_one = |_: usize| _ = black_box(send_axum(&mut nothing, &uri));
    let mut peer_one = |_: usize| _ = black_box(send_axum(&mut peer, &uri));
    round.added("tower/added/axum-bare", Target::none(), &mut ours, &mut bare_one);
    round.added("tower/added/axum-do-nothing", Target::none(), &mut ours, &mut nothing_one);
    let name = "tower/added/axum-do-nothing/instructions";
    round.instructions(name, Target::none(), TIMES, &mut ours, &mut nothing_one);
    // Of both without what axum itself takes for a layer: the same baseline, which is run twice.
    let mut nothing = axum_with(NothingLayer);
    let mut nothing_two = |_: usize| _ = black_box(send_axum(&mut nothing, &uri));
    let tenth = Target::most(1.0 / 10.0);
    let mut beside = Beside { round, ours: &mut ours, nothing: &mut nothing_one, again: &mut nothing_two };
    beside.peer("axum-prometheus", tenth, &mut peer_one);
    let metrics_only = telemetry::LayerBuilder::builder().with_tracing(false).build();
    let mut peer = axum_with(metrics_only.expect("nothing to refuse"));
    beside.peer("opentelemetry-instrumentation-tower", tenth, |_| _ = black_box(send_axum(&mut peer, &uri)));
    // What tower-http has: a span and three events for each request, written to nowhere, and the requests in flight alone,
    // which is an atomic and no peer.
    let mut peer = axum_with(TraceLayer::new_for_http());
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::sink).finish();
    tracing::subscriber::with_default(log, || {
        beside.peer("tower-http-trace", tenth, |_| _ = black_box(send_axum(&mut peer, &uri)));
    });
    let mut peer = axum_with(InFlightRequestsLayer::pair().0);
    beside.peer("tower-http-in-flight", Target::none(), |_| _ = black_box(send_axum(&mut peer, &uri)));
}

/// Beside what the peers add to theirs.
fn peers(round: &Round, service: &MonitoringService) {
    let uri = uri(PATH);
    let bare = routes().map_to_response();
    let with = routes().with(service.http_middleware());
    let telemetry = routes().with(OpenTelemetryMetrics::new());
    let ours = |_: usize| _ = black_box(send(&with, &uri));
    let bare_one = |_: usize| _ = black_box(send(&bare, &uri));
    let telemetry_one = |_: usize| _ = black_box(send(&telemetry, &uri));

    let (mut axum_bare, mut axum_with) = (axum_routes().with_state(()), axum_with(PrometheusMetricLayer::new()));
    // The layer counts a request out in the body: the answer is dropped inside, as after a write.
    let axum_uri = uri.clone();
    let axum_bare_uri = uri.clone();
    let mut axum_one = move |_: usize| _ = black_box(send_axum(&mut axum_with, &axum_uri));
    let mut axum_bare_one = move |_: usize| _ = black_box(send_axum(&mut axum_bare, &axum_bare_uri));

    let (axum, poem) = (Target::most(1.0 / 10.0), Target::most(1.0 / 4.0));
    round.overhead("overhead/axum-prometheus", axum, (ours, bare_one), (&mut axum_one, &mut axum_bare_one));
    round.overhead("overhead/poem-opentelemetry", poem, (ours, bare_one), (telemetry_one, bare_one));
    let name = "overhead/axum-prometheus/instructions";
    round.instructions_overhead(name, axum, TIMES, (ours, bare_one), (axum_one, axum_bare_one));
    let name = "overhead/poem-opentelemetry/instructions";
    round.instructions_overhead(name, poem, TIMES, (ours, bare_one), (telemetry_one, bare_one));
}

/// How the cost grows: with the routes that are in use, and under nesting, where poem makes the template anew.
fn growth(round: &Round, service: &MonitoringService) {
    for routes in [10, 100, 1_000] {
        if !round.needs(&format!("growth/{routes}-routes")) {
            continue;
        }
        let paths: Vec<String> = (0..routes).map(|i| format!("/api/v1/things{i}/:id")).collect();
        let uris: Vec<Uri> = (0..routes).map(|i| uri(&format!("/api/v1/things{i}/7"))).collect();
        let all = || paths.iter().fold(Route::new(), |all, path| all.at(path, get(user)));
        let (bare, with) = (all().map_to_response(), all().with(service.http_middleware()));
        let ours = |i: usize| _ = black_box(send(&with, &uris[i % uris.len()]));
        let bare_one = |i: usize| _ = black_box(send(&bare, &uris[i % uris.len()]));
        // Each seen before.
        uris.iter().enumerate().for_each(|(i, _)| ours(i));
        round.added(&format!("growth/{routes}-routes"), Target::none().without_allocations(), ours, bare_one);
        round.instructions(&format!("growth/{routes}-routes/instructions"), Target::none(), TIMES, ours, bare_one);
    }
    if !round.needs("growth/nested-twice") {
        return;
    }
    let nested = || Route::new().nest("/api", Route::new().nest("/v1", Route::new().at("/users/:id", get(user))));
    let uri = uri(PATH);
    let (bare, with) = (nested().map_to_response(), nested().with(service.http_middleware()));
    let ours = |_: usize| _ = black_box(send(&with, &uri));
    let bare_one = |_: usize| _ = black_box(send(&bare, &uri));
    round.added("growth/nested-twice", Target::none().without_allocations(), ours, bare_one);
    round.instructions("growth/nested-twice/instructions", Target::none(), TIMES, ours, bare_one);
}
