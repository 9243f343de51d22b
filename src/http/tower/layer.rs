//! The layer: counts requests, measures them up to the response head, and knows how many are in flight.

use std::fmt;

use tower_layer::Layer;

use super::routes::{DefaultRoutes, RequestHead, RouteFunction, Routes};
#[cfg(feature = "prometheus")]
use super::service::{HttpLayerService, Tower, Tracker};
use crate::MonitoringService;

/// The `tower::Layer` that [`MonitoringService::http_layer`] gives.
///
/// Without the feature `prometheus`, it returns the service that it is given: the same type, the same machine code.
pub struct HttpLayer<R: Routes = DefaultRoutes> {
    service: MonitoringService,
    skip: Vec<String>,
    routes: R,
    /// Shared by all services that the layer is put around: axum puts it around each route.
    #[cfg(feature = "prometheus")]
    tracker: std::sync::Arc<Tracker<R>>,
}

impl MonitoringService {
    /// The layer that counts requests, for axum, tonic, hyper and everything else with `http` types. While the service
    /// is off, it passes requests through.
    ///
    /// The label `path` is a template, never the path of a request:
    ///
    /// - With the feature `http-axum`, it is axum's `MatchedPath`. A layer sees it if it is added with `Router::layer`,
    ///   after the routes.
    /// - Otherwise a function gives it: [`template`](HttpLayer::template).
    /// - Without a template, a 404 is `unmatched` and everything else is `unknown`.
    ///
    /// ```
    /// use compozy_monitoring::MonitoringService;
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let service = MonitoringService::for_test();
    /// let layer = service.http_layer().template(|head| (head.uri().path() == "/hello").then_some("/hello"));
    /// let app = layer.layer(service_fn(async |_: http::Request<String>| {
    ///     Ok::<_, std::io::Error>(http::Response::new("hello".to_owned()))
    /// }));
    /// app.oneshot(http::Request::get("/hello").body(String::new()).unwrap()).await.unwrap();
    /// # #[cfg(feature = "prometheus")]
    /// assert!(
    ///     service.render().contains(r#"compozy_http_requests_total{method="GET",path="/hello",status_code="200"} 1"#)
    /// );
    /// # });
    /// ```
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "http-tower")))]
    pub fn http_layer(&self) -> HttpLayer {
        HttpLayer::new(self.clone(), Vec::new(), DefaultRoutes)
    }
}

impl<R: Routes> HttpLayer<R> {
    fn new(service: MonitoringService, skip: Vec<String>, routes: R) -> Self {
        Self {
            #[cfg(feature = "prometheus")]
            tracker: Tracker::new(&service, &skip, Tower(routes.clone())).into(),
            service,
            skip,
            routes,
        }
    }

    /// Leaves a route out of the counter and the durations, by its template. Its requests are still in the gauge of
    /// requests in flight. `unmatched` and `unknown` are accepted too: they are the values of the label `path` without
    /// a route.
    #[must_use]
    pub fn skip(mut self, template: impl Into<String>) -> Self {
        self.skip.push(template.into());
        Self::new(self.service, self.skip, self.routes)
    }

    /// Takes the template of a request from a function. The function sees the head of the request, with what the
    /// framework has added to it. It returns `None` if it knows no route.
    ///
    /// The function is called for each request, so return text that exists already (`&'static str`, `Arc<str>`). Never
    /// return text that the client chooses, such as the path. For gRPC, return one of the methods that the server has:
    ///
    /// ```
    /// use compozy_monitoring::{HttpLayer, MonitoringService};
    ///
    /// /// Of the services that this server has.
    /// const METHODS: [&str; 2] = ["/helloworld.Greeter/SayHello", "/grpc.health.v1.Health/Check"];
    ///
    /// let service = MonitoringService::for_test();
    /// let layer = service.http_layer().template(|head| {
    ///     let known = METHODS.into_iter().find(|method| *method == head.uri().path());
    ///     Some(known.unwrap_or("unmatched")) // gRPC answers 200 to unknown methods too
    /// });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn template<F, T>(self, template: F) -> HttpLayer<RouteFunction<F, T>>
    where
        F: Fn(&RequestHead<'_>) -> Option<T> + Send + Sync + 'static,
        T: AsRef<str> + Clone + Send + Sync + 'static,
    {
        HttpLayer::new(self.service, self.skip, RouteFunction::new(template))
    }
}

impl<R: Routes> Clone for HttpLayer<R> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            skip: self.skip.clone(),
            routes: self.routes.clone(),
            #[cfg(feature = "prometheus")]
            tracker: self.tracker.clone(),
        }
    }
}

impl<R: Routes> fmt::Debug for HttpLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLayer").field("service", &self.service).field("skip", &self.skip).finish_non_exhaustive()
    }
}

#[cfg(feature = "prometheus")]
impl<S, R: Routes> Layer<S> for HttpLayer<R> {
    type Service = HttpLayerService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpLayerService::new(inner, self.tracker.clone())
    }
}

#[cfg(not(feature = "prometheus"))]
impl<S, R: Routes> Layer<S> for HttpLayer<R> {
    type Service = S;

    #[inline]
    fn layer(&self, inner: S) -> S {
        inner
    }
}

#[cfg(all(test, not(feature = "prometheus")))]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_prometheus_the_layer_gives_back_the_service_itself() {
        // For any service the type is the same, and so is the code: the compiler checks it.
        fn layered<S>(layer: &HttpLayer, service: S) -> S {
            layer.layer(service)
        }
        let service = MonitoringService::for_test();
        assert_eq!(layered(&service.http_layer().skip("/health"), "a service"), "a service");
    }
}
