//! The middleware: counts requests, measures them up to the response head, and knows how many are in flight.

use std::future::Future;

use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};

use super::template_aliases::{TemplateAliases, normalized};
use crate::{
    MonitoringService,
    http::core::{UNKNOWN, UNMATCHED},
};

/// The poem middleware that [`MonitoringService::http_middleware`] gives.
///
/// Install it outermost (the last `.with`), so that it also counts the responses of other middleware.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
pub struct HttpMetrics {
    pub(crate) service: MonitoringService,
    pub(crate) skip: Vec<String>,
    pub(crate) aliases: TemplateAliases,
}

impl MonitoringService {
    /// The middleware that counts requests. While the service is off, it passes requests through.
    ///
    /// ```
    /// use compozy_monitoring::MonitoringService;
    /// use poem::{EndpointExt, Route, get, handler, test::TestClient, web::Path};
    ///
    /// #[handler]
    /// fn user(Path(id): Path<String>) -> String {
    ///     id
    /// }
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let service = MonitoringService::for_test();
    /// let app = Route::new()
    ///     .at("/users/:id", get(user))
    ///     .with(service.http_middleware().skip("/health"));
    /// TestClient::new(app).get("/users/7").send().await.assert_status_is_ok();
    /// # #[cfg(feature = "prometheus")]
    /// assert!(
    ///     service
    ///         .render()
    ///         .contains(r#"compozy_http_requests_total{method="GET",path="/users/:id",status_code="200"} 1"#)
    /// );
    /// # });
    /// ```
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "http-poem")))]
    pub fn http_middleware(&self) -> HttpMetrics {
        HttpMetrics { service: self.clone(), skip: Vec::new(), aliases: TemplateAliases::default() }
    }
}

impl HttpMetrics {
    /// Leaves a route out of the counter and the durations, by its template. Its requests are still in the gauge of
    /// requests in flight.
    ///
    /// The template is read as poem's `at` reads it: `hello` is `/hello`, and several slashes are one. `unmatched` and
    /// `unknown` are accepted too: they are the values of the label `path` without a route.
    #[must_use]
    pub fn skip(mut self, template: impl Into<String>) -> Self {
        let template = template.into();
        let is_route = ![UNMATCHED, UNKNOWN].contains(&template.as_str());
        self.skip.push(if is_route { normalized(&template) } else { template });
        self
    }
}

impl<E: Endpoint> Middleware<E> for HttpMetrics {
    type Output = HttpMetricsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        HttpMetricsEndpoint {
            inner,
            #[cfg(feature = "prometheus")]
            tracker: super::route::tracker(&self.service, &self.skip, &self.aliases),
        }
    }
}

/// The endpoint of the [`HttpMetrics`] middleware.
#[derive(Debug)]
pub struct HttpMetricsEndpoint<E> {
    inner: E,
    #[cfg(feature = "prometheus")]
    tracker: super::route::Tracker,
}

#[cfg(not(feature = "prometheus"))]
impl<E: Endpoint> Endpoint for HttpMetricsEndpoint<E> {
    type Output = Response;

    fn call(&self, req: Request) -> impl Future<Output = Result<Response>> + Send {
        let response = self.inner.call(req);
        async move { response.await.map(IntoResponse::into_response) }
    }
}

#[cfg(feature = "prometheus")]
impl<E: Endpoint> Endpoint for HttpMetricsEndpoint<E> {
    type Output = Response;

    #[inline]
    fn call(&self, req: Request) -> impl Future<Output = Result<Response>> + Send {
        live::counted(&self.inner, req, &self.tracker)
    }
}

#[cfg(feature = "prometheus")]
mod live {
    use std::{
        future::{pending, poll_fn},
        pin::{Pin, pin},
        task::{Context, Poll},
    };

    use http_body::Body as _;
    use poem::{Body, PathPattern, http::StatusCode};

    use super::{Endpoint, Future, IntoResponse, MonitoringService, Request, Response, Result};
    use crate::{
        http::{
            core::{body::CountedBody, labels::method_of},
            poem::{
                gzipped,
                route::{Asked, InProgress, Tracker},
            },
        },
        service::Scoped,
    };

    type BoxBody = http_body_util::combinators::BoxBody<bytes::Bytes, std::io::Error>;

    /// Calls the handler and counts its request. When the future is dropped, the handler is dropped first, then what counts it.
    ///
    /// The handler's future is large, and moving it costs as much as counting the request. So it is made in the place where it
    /// is polled. An `async` block can do that; a future written by hand cannot, without `unsafe`.
    #[inline]
    pub(crate) fn counted<'a, E: Endpoint>(
        endpoint: &'a E,
        req: Request,
        tracker: &'a Tracker,
    ) -> impl Future<Output = Result<Response>> + Send + 'a {
        let mut unpolled = Unpolled { req: Some(req), tracker };
        async move {
            let mut request = unpolled.start();
            if let Some(service) = tracker.scope() {
                return scoped(service, &mut request, || unpolled.req.take().map(|req| endpoint.call(req))).await;
            }
            // Taken only by the branch above.
            let Some(req) = unpolled.req.take() else { return pending().await };
            let mut inner = pin!(endpoint.call(req));
            match &mut request {
                Some(request) => poll_fn(|cx| poll_counted(inner.as_mut(), request, cx)).await,
                None => inner.await.map(IntoResponse::into_response),
            }
        }
    }

    async fn scoped<F, T>(
        service: &MonitoringService,
        request: &mut Option<InProgress<'_>>,
        call: impl FnOnce() -> Option<F>,
    ) -> Result<Response>
    where
        F: Future<Output = Result<T>>,
        T: IntoResponse,
    {
        let inner = service.in_scope(call);
        let mut inner = pin!(Scoped::new(service, inner));
        poll_fn(|cx| match request {
            Some(request) => poll_counted(inner.as_mut(), request, cx),
            None => inner.as_mut().poll(cx).map_ok(IntoResponse::into_response),
        })
        .await
    }

    #[inline]
    fn poll_counted<F, T>(
        inner: Pin<&mut F>,
        request: &mut InProgress<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response>>
    where
        F: Future<Output = Result<T>>,
        T: IntoResponse,
    {
        request.enter();
        let Poll::Ready(result) = inner.poll(cx) else {
            request.leave();
            return Poll::Pending;
        };
        let mut result = result.map(IntoResponse::into_response);
        finish(request, &mut result);
        Poll::Ready(result)
    }

    /// The response head is there: counts the request. With a body that streams, the request stays in flight.
    fn finish(request: &mut InProgress<'_>, result: &mut Result<Response>) {
        let (status, template) = match &*result {
            Ok(response) => (response.status(), response.data::<PathPattern>()),
            Err(error) => (error.status(), error.data::<PathPattern>()),
        };
        request.finish(status, template);
        if let Ok(response) = result
            && status != StatusCode::SWITCHING_PROTOCOLS
        {
            let body: BoxBody = response.take_body().into();
            if body.size_hint().exact().is_some() {
                response.set_body(Body::from(body));
            } else if !gzipped::restore(response) {
                response.set_body(Body::from(BoxBody::new(CountedBody::new(body, request.hand_over()))));
            }
        }
    }

    #[inline(always)]
    fn start<'a>(req: &Request, tracker: &'a Tracker) -> Option<InProgress<'a>> {
        InProgress::start(tracker, |_| (method_of(req.method()), Asked::new(req)))
    }

    /// A request whose future was not polled yet. It is counted even if nobody ever polls it.
    struct Unpolled<'a> {
        req: Option<Request>,
        tracker: &'a Tracker,
    }

    impl<'a> Unpolled<'a> {
        #[inline(never)]
        fn start(&self) -> Option<InProgress<'a>> {
            start(self.req.as_ref()?, self.tracker)
        }
    }

    impl Drop for Unpolled<'_> {
        #[inline]
        fn drop(&mut self) {
            if let Some(req) = &self.req {
                drop_unpolled(req, self.tracker);
            }
        }
    }

    /// Counts a request in, and out again as one whose client left.
    #[cold]
    fn drop_unpolled(req: &Request, tracker: &Tracker) {
        if let Some(mut request) = start(req, tracker) {
            request.leave();
        }
    }
}
