//! The middleware: counts requests, measures them up to the response head, and knows how many are in flight.

use std::future::Future;

use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};

use crate::MonitoringService;
use crate::http::core::template_aliases::{TemplateAliases, normalized};

/// The path of a request that no route took.
pub(crate) const UNMATCHED: &str = "unmatched";
/// The path of a request whose template got lost.
pub(crate) const UNKNOWN: &str = "unknown";

/// The poem middleware that [`MonitoringService::http_middleware`] gives.
///
/// Install it outermost (the last `.with`), so that the responses of other middleware are counted too.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
pub struct HttpMetrics {
    pub(crate) service: MonitoringService,
    pub(crate) skip: Vec<String>,
    pub(crate) names: TemplateAliases,
}

impl MonitoringService {
    /// The middleware that counts requests. While the service is off it passes requests through.
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
        HttpMetrics { service: self.clone(), skip: Vec::new(), names: TemplateAliases::default() }
    }
}

impl HttpMetrics {
    /// Leaves a route out of the count and the duration, by its template; it is still in the in-flight gauge.
    ///
    /// The template is taken as poem takes it in `at`: `hello` is `/hello`, and several slashes are one. `unmatched` and
    /// `unknown` are the values of the label `path` that are no routes.
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
            watch: super::request::RequestTracker::new(self),
        }
    }
}

/// The endpoint of the [`HttpMetrics`] middleware.
#[derive(Debug)]
pub struct HttpMetricsEndpoint<E> {
    inner: E,
    #[cfg(feature = "prometheus")]
    watch: super::request::RequestTracker,
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
        live::watched(&self.inner, req, &self.watch)
    }
}

#[cfg(feature = "prometheus")]
mod live {
    use std::{
        future::{pending, poll_fn},
        pin::{Pin, pin},
        task::{Context, Poll},
    };

    use pin_project_lite::pin_project;

    use super::{Endpoint, Future, IntoResponse, Request, Response, Result};
    use crate::http::poem::request::{InProgress, RequestTracker};

    /// A future is large, and to move it costs as much as to count the request: the handler's is made in the place where it
    /// is polled, in an `async` block, which a future written by hand cannot do without `unsafe`. In a drop the handler
    /// comes first, then what counts it.
    #[inline]
    pub(crate) fn watched<'a, E: Endpoint>(
        endpoint: &'a E,
        req: Request,
        watch: &'a RequestTracker,
    ) -> impl Future<Output = Result<Response>> + Send + 'a {
        let mut asked = Asked { req: Some(req), watch };
        async move {
            let mut request = asked.start();
            if watch.has_scope() {
                return scoped(watch, &mut request, || asked.req.take().map(|req| endpoint.call(req))).await;
            }
            // There until here.
            let Some(req) = asked.req.take() else { return pending().await };
            let mut inner = pin!(endpoint.call(req));
            match &mut request {
                Some(request) => poll_fn(|cx| poll_counted(inner.as_mut(), request, cx)).await,
                None => inner.await.map(IntoResponse::into_response),
            }
        }
    }

    async fn scoped<F, T>(
        watch: &RequestTracker,
        request: &mut Option<InProgress<'_>>,
        call: impl FnOnce() -> Option<F>,
    ) -> Result<Response>
    where
        F: Future<Output = Result<T>>,
        T: IntoResponse,
    {
        let inner = {
            let _entered = watch.enter();
            call()
        };
        let mut inner = pin!(Scoped { inner, watch });
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
        let mut polled = inner.poll(cx).map_ok(IntoResponse::into_response);
        request.leave();
        if let Poll::Ready(result) = &mut polled {
            request.finish(result);
        }
        polled
    }

    /// A request before the first poll: who never polls has asked all the same.
    struct Asked<'a> {
        req: Option<Request>,
        watch: &'a RequestTracker,
    }

    impl<'a> Asked<'a> {
        #[inline(never)]
        fn start(&self) -> Option<InProgress<'a>> {
            self.watch.start(self.req.as_ref()?)
        }
    }

    impl Drop for Asked<'_> {
        #[inline]
        fn drop(&mut self) {
            if let Some(req) = &self.req {
                drop_unpolled(req, self.watch);
            }
        }
    }

    /// Counts it in, and out as one that was not waited for.
    #[cold]
    fn drop_unpolled(req: &Request, watch: &RequestTracker) {
        if let Some(mut request) = watch.start(req) {
            request.leave();
        }
    }

    pin_project! {
        /// A handler in the scope of its service, also when it is dropped.
        struct Scoped<'a, F> {
            #[pin]
            inner: Option<F>,
            watch: &'a RequestTracker,
        }

        impl<F> PinnedDrop for Scoped<'_, F> {
            fn drop(this: Pin<&mut Self>) {
                let mut this = this.project();
                let _entered = this.watch.enter();
                this.inner.set(None);
            }
        }
    }

    impl<F: Future> Future for Scoped<'_, F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            let this = self.project();
            let _entered = this.watch.enter();
            this.inner.as_pin_mut().map_or(Poll::Pending, |inner| inner.poll(cx))
        }
    }
}
