//! `/metrics`, and the page for people, as a `tower::Service`.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use crate::{
    MonitoringService,
    http::core::scrape::{MetricsBody, Scrape},
};

/// The `tower::Service` that [`MonitoringService::metrics_service`] gives. Its clones share their renderings.
///
/// GET and HEAD answer 200 with the families, gzipped if the client asks for it. Other methods answer 405. While the
/// service is off, it answers 503 with the reason in plain text. It does not look at the path: the router does.
#[derive(Clone)]
pub struct MetricsService(pub(crate) Scrape);

impl fmt::Debug for MetricsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MetricsService").field(&self.0.service).finish()
    }
}

impl MonitoringService {
    /// The endpoint of the metrics as a `tower::Service`. Serve it at [`path`](Self::path).
    ///
    /// ```
    /// use compozy_monitoring::MonitoringService;
    /// use tower::ServiceExt;
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let service = MonitoringService::for_test();
    /// let response = service.metrics_service().oneshot(http::Request::new(())).await.unwrap();
    /// # #[cfg(feature = "prometheus")]
    /// assert_eq!(response.status(), 200);
    /// # let _ = response;
    /// # });
    /// ```
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "http-tower")))]
    pub fn metrics_service(&self) -> MetricsService {
        MetricsService(Scrape::new(self))
    }
}

/// `type, the part of it that has the method answer`
macro_rules! service {
    ($type:ty, |$this:ident| $answering:expr) => {
        impl<B> Service<Request<B>> for $type {
            type Response = Response<MetricsBody>;
            type Error = Infallible;
            type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, req: Request<B>) -> Self::Future {
                let $this = &*self;
                let answer = $answering.answer(req.method(), req.headers());
                Box::pin(async { Ok(answer.await.map(MetricsBody::new)) })
            }
        }
    };
}

service!(MetricsService, |service| service.0);
#[cfg(feature = "view")]
service!(crate::http::core::view::ViewEndpoint, |view| view);
