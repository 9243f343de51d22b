//! The middleware: counts requests, measures them up to the response head, and knows how many are in flight.

use std::future::Future;

use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};

use crate::MonitoringService;

/// The poem middleware that [`MonitoringService::http_middleware`] gives.
///
/// Install it outermost (the last `.with`), so that the responses of other middleware are counted too.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
pub struct HttpMetrics {
    service: MonitoringService,
    skip: Vec<String>,
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
    ///     .at(service.path(), service.metrics_endpoint())
    ///     .with(service.http_middleware().skip("/metrics"));
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
        HttpMetrics { service: self.clone(), skip: Vec::new() }
    }
}

impl HttpMetrics {
    /// Leaves a route out of the count and the duration, by its template; it is still in the in-flight gauge.
    #[must_use]
    pub fn skip(mut self, template: impl Into<String>) -> Self {
        self.skip.push(template.into());
        self
    }
}

impl<E: Endpoint> Middleware<E> for HttpMetrics {
    type Output = HttpMetricsEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        HttpMetricsEndpoint {
            inner,
            #[cfg(feature = "prometheus")]
            watch: super::request::Watch::new(&self.service, self.skip.clone()),
        }
    }
}

/// The endpoint of the [`HttpMetrics`] middleware.
#[derive(Debug)]
pub struct HttpMetricsEndpoint<E> {
    inner: E,
    #[cfg(feature = "prometheus")]
    watch: super::request::Watch,
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
        pin::Pin,
        task::{Context, Poll, ready},
    };

    use pin_project_lite::pin_project;

    use super::{Endpoint, Future, IntoResponse, Request, Response, Result};
    use crate::http::request::{InProgress, Watch};

    pin_project! {
        /// A request on its way. Written by hand: an `async fn` would store the request twice.
        ///
        /// Fields drop in this order: the handler first, then what counts it.
        struct Watched<'a, F> {
            #[pin]
            inner: Option<F>,
            watch: &'a Watch,
            request: Option<InProgress<'a>>,
        }

        impl<F> PinnedDrop for Watched<'_, F> {
            fn drop(this: Pin<&mut Self>) {
                let mut this = this.project();
                let _entered = this.watch.enter();
                this.inner.set(None);
            }
        }
    }

    #[inline]
    pub(super) fn watched<'a, E: Endpoint>(
        endpoint: &'a E,
        req: Request,
        watch: &'a Watch,
    ) -> impl Future<Output = Result<Response>> + Send + 'a {
        // In progress before the call: it may run a part of the handler, and panic, before it gives the future.
        let mut request = watch.start(&req);
        let inner = {
            let _entered = watch.enter();
            endpoint.call(req)
        };
        if let Some(request) = &mut request {
            request.leave();
        }
        Watched { inner: Some(inner), watch, request }
    }

    impl<F, T> Future for Watched<'_, F>
    where
        F: Future<Output = Result<T>>,
        T: IntoResponse,
    {
        type Output = Result<Response>;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Response>> {
            let this = self.project();
            let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
            let _entered = this.watch.enter();
            let Some(request) = this.request.as_mut() else {
                return inner.poll(cx).map_ok(IntoResponse::into_response);
            };
            request.enter();
            let polled = inner.poll(cx).map_ok(IntoResponse::into_response);
            request.leave();
            let mut result = ready!(polled);
            request.finish(&mut result);
            Poll::Ready(result)
        }
    }
}
