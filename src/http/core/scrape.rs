//! The answer to a scrape, as `http` types.
//!
//! Rendering takes time in proportion to the number of series, so it happens on a thread of its own, and scrapes that arrive
//! while one is waiting to start share it: each sees a render that began after it arrived.
//!
//! GET and HEAD answer 200 with the families, in the format that the client prefers and gzipped when it asks for that; other
//! methods 405. While the service is off the answer is 503 with the reason in plain text. If the service asks for a token, a
//! request without it is answered with 401 before anything else is looked at.

use std::future::Future;

use bytes::Bytes;
#[cfg(feature = "prometheus")]
use http::header::{CONTENT_ENCODING, VARY};
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS},
};

use super::authorization::may_scrape;
#[cfg(feature = "prometheus")]
use super::{
    negotiation::{media_type, wants_gzip},
    shared_render::SharedRender,
};
use crate::MonitoringService;

/// One place where metrics are served. Its clones share their renders.
#[derive(Clone, Debug)]
pub(crate) struct Scrape {
    pub(crate) service: MonitoringService,
    /// Whether the answer is gzipped when the client asks for it.
    #[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
    pub(crate) gzip: bool,
    #[cfg(feature = "prometheus")]
    shared: std::sync::Arc<SharedRender>,
}

impl Scrape {
    #[cfg(feature = "_middleware")]
    pub(crate) fn new(service: &MonitoringService) -> Self {
        if service.is_enabled() {
            tracing::info!(path = service.path(), "Metrics endpoint registered");
        }
        Self {
            service: service.clone(),
            gzip: true,
            #[cfg(feature = "prometheus")]
            shared: std::sync::Arc::default(),
        }
    }

    /// For a listener: it has its own handle on the shared renders, and may be there longer than the service.
    #[cfg(all(feature = "prometheus", feature = "serve"))]
    pub(crate) fn of(service: MonitoringService, shared: std::sync::Arc<SharedRender>) -> Self {
        Self { service, gzip: true, shared }
    }

    /// The answer to a request of this method and with these headers.
    pub(crate) fn answer(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> impl Future<Output = Response<Bytes>> + Send + use<> {
        answer(&self.service, method, headers, self.families(headers))
    }

    #[cfg(feature = "prometheus")]
    fn families(&self, headers: &HeaderMap) -> impl Future<Output = Response<Bytes>> + Send + use<> {
        let (scrape, media_type, gzip) = (self.clone(), media_type(headers), self.gzip && wants_gzip(headers));
        async move {
            let Some(store) = scrape.service.store() else { return scrape.unavailable() };
            let Some(rendered) = scrape.shared.render(store, media_type.format).await else {
                return plain(StatusCode::INTERNAL_SERVER_ERROR, "500: the metrics could not be rendered\n");
            };
            let zipped = if gzip { rendered.gzip().await } else { None };
            let is_zipped = zipped.is_some();
            let body = zipped.unwrap_or_else(|| rendered.body());
            let mut response = response(StatusCode::OK, HeaderValue::from_static(media_type.name), body);
            response.headers_mut().insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
            if is_zipped {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
    }

    #[cfg(not(feature = "prometheus"))]
    fn families(&self, _: &HeaderMap) -> impl Future<Output = Response<Bytes>> + Send + use<> {
        let scrape = self.clone();
        async move { scrape.unavailable() }
    }

    /// The answer of another path, where nothing else is served.
    #[cfg(all(feature = "prometheus", feature = "serve"))]
    pub(crate) fn not_found(&self, headers: &HeaderMap) -> Response<Bytes> {
        if !may_scrape(self.service.access(), headers) {
            return unauthorized();
        }
        plain(StatusCode::NOT_FOUND, format!("404: the metrics are at {}\n", self.service.path()))
    }

    fn unavailable(&self) -> Response<Bytes> {
        plain(StatusCode::SERVICE_UNAVAILABLE, format!("503: {}\n", self.service.why_off()))
    }
}

/// The answer of everything that shows metrics: `get` is what a GET is answered, and is polled only if this is one, or a HEAD, of
/// somebody who may scrape.
pub(super) fn answer<F: Future<Output = Response<Bytes>> + Send>(
    service: &MonitoringService,
    method: &Method,
    headers: &HeaderMap,
    get: F,
) -> impl Future<Output = Response<Bytes>> + Send + use<F> {
    let is_head = method == Method::HEAD;
    let answer = if !may_scrape(service.access(), headers) {
        Err(unauthorized())
    } else if is_head || method == Method::GET {
        Ok(get)
    } else {
        Err(not_allowed())
    };
    async move {
        let mut response = match answer {
            Ok(get) => get.await,
            Err(refusal) => return refusal,
        };
        if is_head {
            // The headers of what a GET would bring, the length too.
            response.body_mut().clear();
        }
        response
    }
}

fn unauthorized() -> Response<Bytes> {
    let mut response = plain(StatusCode::UNAUTHORIZED, "");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn not_allowed() -> Response<Bytes> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "405: GET and HEAD only\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    response(status, HeaderValue::from_static("text/plain; charset=utf-8"), text.into())
}

/// The length is set as a header, so that it stays when the body of a HEAD is taken away.
pub(super) fn response(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Bytes> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_LENGTH, length),
    ];
    response.headers_mut().extend(headers);
    response
}

/// The body of the answer to a scrape: bytes that are there.
#[cfg(any(feature = "http-tower", all(feature = "prometheus", feature = "serve")))]
#[derive(Debug)]
pub struct MetricsBody(Bytes);

#[cfg(any(feature = "http-tower", all(feature = "prometheus", feature = "serve")))]
impl MetricsBody {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

#[cfg(any(feature = "http-tower", all(feature = "prometheus", feature = "serve")))]
impl http_body::Body for MetricsBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let bytes = std::mem::take(&mut self.0);
        std::task::Poll::Ready((!bytes.is_empty()).then(|| Ok(http_body::Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0.len() as u64)
    }
}
