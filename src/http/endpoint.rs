//! `/metrics`: what Prometheus scrapes.
//!
//! Rendering takes time in proportion to the number of series, so it happens on the blocking pool of Tokio, and scrapes
//! that arrive while one is waiting to start share it: each sees a render that began after it arrived.

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, Method, StatusCode, header},
};

use super::encoding::wants_gzip;
use crate::MonitoringService;

#[cfg(feature = "prometheus")]
mod shared;

/// The media type of the exposition format.
#[cfg(feature = "prometheus")]
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The poem endpoint that [`MonitoringService::metrics_endpoint`] gives.
///
/// GET and HEAD answer 200 with the families, gzipped when the client asks for it; other methods 405. While the service
/// is off it answers 503 with the reason in plain text.
#[derive(Clone, Debug)]
pub struct MetricsEndpoint {
    service: MonitoringService,
    #[cfg(feature = "prometheus")]
    shared: std::sync::Arc<shared::SharedRender>,
}

impl MonitoringService {
    /// The endpoint to be served at [`path`](Self::path), on the main server.
    ///
    /// ```
    /// use compozy_monitoring::MonitoringService;
    /// use poem::{Route, test::TestClient};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let service = MonitoringService::for_test();
    /// let app = Route::new().at(service.path(), service.metrics_endpoint());
    /// let response = TestClient::new(app).get("/metrics").send().await;
    /// # #[cfg(feature = "prometheus")]
    /// response.assert_status_is_ok();
    /// # });
    /// ```
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "http-poem")))]
    pub fn metrics_endpoint(&self) -> MetricsEndpoint {
        if self.is_enabled() {
            tracing::info!(path = self.path(), "Metrics endpoint registered");
        }
        MetricsEndpoint {
            service: self.clone(),
            #[cfg(feature = "prometheus")]
            shared: std::sync::Arc::default(),
        }
    }
}

impl MetricsEndpoint {
    fn unavailable(&self) -> Response {
        plain(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("503: {}\n", self.service.off_reason().unwrap_or("no metrics just now")),
        )
    }

    #[cfg(feature = "prometheus")]
    async fn scrape(&self, gzip: bool) -> Response {
        let Some(store) = self.service.store() else { return self.unavailable() };
        let Some(rendered) = self.shared.render(store).await else {
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "500: the metrics could not be rendered\n");
        };
        let zipped = if gzip { rendered.gzip().await } else { None };
        let mut response = Response::builder()
            .content_type(CONTENT_TYPE)
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::VARY, "Accept-Encoding");
        if zipped.is_some() {
            response = response.header(header::CONTENT_ENCODING, "gzip");
        }
        response.body(zipped.unwrap_or_else(|| rendered.text()))
    }

    #[cfg(not(feature = "prometheus"))]
    async fn scrape(&self, _: bool) -> Response {
        self.unavailable()
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    Response::builder()
        .status(status)
        .content_type("text/plain; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .body(text.to_owned())
}

impl Endpoint for MetricsEndpoint {
    type Output = Response;

    async fn call(&self, req: Request) -> Result<Response> {
        let is_head = req.method() == Method::HEAD;
        if !is_head && req.method() != Method::GET {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "405: GET and HEAD only\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Ok(response);
        }
        let gzip = wants_gzip(req.headers());
        drop(req);
        let mut response = self.scrape(gzip).await;
        if is_head {
            // The length of what a GET would bring.
            let body: http_body_util::combinators::BoxBody<_, _> = response.take_body().into();
            if let Some(length) = http_body::Body::size_hint(&body).exact() {
                response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
        }
        Ok(response)
    }
}
