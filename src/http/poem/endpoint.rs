//! `/metrics`: what Prometheus scrapes.
//!
//! [`Scrape`] makes the answer; here it becomes poem's.

use std::future::Future;

use poem::{
    Endpoint, PathPattern, Request, Response, Result, Route,
    error::NotFoundError,
    http::{HeaderMap, Method},
};

use super::gzipped;
use crate::{ConfigError, MonitoringService, http::core::scrape::Scrape};

/// The poem endpoint that [`MonitoringService::metrics_endpoint`] gives.
///
/// GET and HEAD answer 200 with the families, gzipped if the client asks for it. Other methods answer 405. While the
/// service is off, it answers 503 with the reason in plain text.
#[derive(Clone, Debug)]
pub struct MetricsEndpoint {
    scrape: Scrape,
    /// Whether it was logged that the application reads a gzipped answer itself.
    read_inside: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl MonitoringService {
    /// The endpoint of the metrics. [`MetricsEndpoint::mount`] puts it at [`path`](Self::path) of the main server.
    ///
    /// It is an ordinary endpoint, so `.at(service.path(), service.metrics_endpoint())` serves it too, for instance on
    /// a listener of its own. Beside routes of the application use `mount`: poem's `at` panics if the application has
    /// the same path, and `MONITORING_PATH` can be any path.
    ///
    /// ```
    /// use compozy_monitoring::MonitoringService;
    /// use poem::{Route, test::TestClient};
    ///
    /// # fn main() -> Result<(), compozy_monitoring::ConfigError> {
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// let service = MonitoringService::for_test();
    /// let app = service.metrics_endpoint().mount(Route::new())?;
    /// # runtime.block_on(async {
    /// let response = TestClient::new(app).get("/metrics").send().await;
    /// # #[cfg(feature = "prometheus")]
    /// response.assert_status_is_ok();
    /// # });
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "http-poem")))]
    pub fn metrics_endpoint(&self) -> MetricsEndpoint {
        MetricsEndpoint { scrape: Scrape::new(self), read_inside: std::sync::Arc::default() }
    }
}

impl MetricsEndpoint {
    /// Whether the answer is gzipped if the client asks for it. Default: `true`.
    ///
    /// Turn it off if poem's `Compression` is around the endpoint, and the middleware of this crate is not around both.
    /// `Compression` compresses even what is compressed already, and Prometheus cannot read that.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.scrape.gzip = gzip;
        self
    }

    /// Puts the endpoint into the application's router, at [`MonitoringService::path`] and at the same path with a
    /// slash at its end. Call it when the router has all its routes.
    ///
    /// A route with a parameter or a wildcard that also fits the path stays as it is. The endpoint goes first, as any
    /// literal path does in poem. It also goes before a route of that path below a `nest`: poem does not report that.
    ///
    /// While monitoring is off, the router stays as it is. If the application has a route at the path, that route
    /// answers. If it has none, the path answers 503 and says why there are no metrics.
    ///
    /// ```
    /// use compozy_monitoring::{Config, MonitoringService};
    /// use poem::{Route, endpoint::make_sync};
    ///
    /// # fn main() -> Result<(), compozy_monitoring::ConfigError> {
    /// let app = || Route::new().at("/health", make_sync(|_| "ok"));
    /// let config = Config::default().path("/health");
    ///
    /// let off = MonitoringService::new(config.clone())?;
    /// assert!(off.metrics_endpoint().mount(app()).is_ok());
    /// # #[cfg(feature = "prometheus")] {
    /// let on = MonitoringService::new(config.enabled(true))?;
    /// let error = on.metrics_endpoint().mount(app()).err().unwrap();
    /// assert!(error.to_string().contains("`/health` is a route of the application"));
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The application has a route at exactly this path, while monitoring is on. Serve the metrics elsewhere, or go on
    /// without them.
    pub fn mount(self, app: Route) -> Result<MetricsRoute, ConfigError> {
        if !self.scrape.service.is_enabled() {
            return Ok(MetricsRoute { route: app, unrouted: Some(self) });
        }
        let path = self.scrape.service.path().to_owned();
        let mut route = app;
        for spelling in [path.clone(), format!("{path}/")] {
            route = route.try_at(&spelling, self.clone()).map_err(|_| ConfigError::path_is_taken(&spelling))?;
        }
        Ok(MetricsRoute { route, unrouted: None })
    }

    /// The answer to a request of this method and with these headers.
    fn answer(&self, method: &Method, headers: &HeaderMap) -> impl Future<Output = Response> + Send + use<> {
        let (answer, logged) = (self.scrape.answer(method, headers), self.read_inside.clone());
        async move { gzipped::response(answer.await, logged) }
    }
}

impl Endpoint for MetricsEndpoint {
    type Output = Response;

    async fn call(&self, req: Request) -> Result<Response> {
        let answer = self.answer(req.method(), req.headers());
        // The path with a slash at its end is counted and skipped as the same route.
        let template = req.data::<PathPattern>().and_then(|template| template.0.strip_suffix('/'));
        let template = template.filter(|template| !template.is_empty()).map(|template| PathPattern(template.into()));
        drop(req);
        let mut response = answer.await;
        if let Some(template) = template {
            response.set_data(template);
        }
        Ok(response)
    }
}

/// An application's router with the metrics endpoint in it, from [`MetricsEndpoint::mount`].
pub struct MetricsRoute {
    route: Route,
    /// The endpoint while monitoring is off. It is not in the router, and answers if the router finds no route.
    unrouted: Option<MetricsEndpoint>,
}

impl std::fmt::Debug for MetricsRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsRoute").field("unrouted", &self.unrouted).finish_non_exhaustive()
    }
}

impl Endpoint for MetricsRoute {
    type Output = Response;

    async fn call(&self, req: Request) -> Result<Response> {
        let is_ours = |endpoint: &&MetricsEndpoint| {
            let path = req.uri().path();
            path.strip_suffix('/').unwrap_or(path) == endpoint.scrape.service.path()
        };
        let Some(endpoint) = self.unrouted.as_ref().filter(is_ours) else { return self.route.call(req).await };
        let answer = endpoint.answer(req.method(), req.headers());
        match self.route.call(req).await {
            Err(error) if error.is::<NotFoundError>() && error.data::<PathPattern>().is_none() => Ok(answer.await),
            answer => answer,
        }
    }
}
