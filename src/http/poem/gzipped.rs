//! Keeps poem's `Compression` from compressing a gzipped answer a second time: Prometheus cannot read that.
//!
//! An endpoint cannot see what is around it. The middleware of this crate sees the answer afterwards, and undoes the second
//! compression. If `Compression` is around the middleware, or there is no middleware, a log line says so.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use poem::{
    Response,
    http::{self, HeaderValue, header},
};

/// The body of an answer and its `Content-Length`, kept with the answer for [`restore`]. In the answer to a HEAD the body is empty
/// and the length is not 0.
#[derive(Clone)]
#[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
struct Gzipped(Bytes, Option<HeaderValue>);

/// The answer to a scrape as a response of poem. `logged` is whether the log line was written.
pub(crate) fn response(answer: http::Response<Bytes>, logged: Arc<AtomicBool>) -> Response {
    let (mut parts, bytes) = answer.into_parts();
    let body = Full::new(bytes.clone());
    if !parts.headers.contains_key(header::CONTENT_ENCODING) {
        let body = body.map_err(|never| -> std::io::Error { match never {} });
        return http::Response::from_parts(parts, body).into();
    }
    parts.extensions.insert(Gzipped(bytes, parts.headers.get(header::CONTENT_LENGTH).cloned()));
    http::Response::from_parts(parts, Watched { body, is_asked: AtomicBool::new(false), logged }).into()
}

/// Undoes a second compression of such an answer. Says whether there was one.
#[cfg(feature = "prometheus")]
pub(crate) fn restore(response: &mut Response) -> bool {
    let encodings = response.headers().get_all(header::CONTENT_ENCODING).iter().count();
    let Some(Gzipped(bytes, length)) = response.data().filter(|_| encodings > 1).cloned() else { return false };
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().extend(length.map(|length| (header::CONTENT_LENGTH, length)));
    response.set_body(bytes);
    true
}

/// A body that notices whether a server reads it. A server asks for `is_end_stream` before it reads; code that compresses the
/// body does not.
struct Watched {
    body: Full<Bytes>,
    is_asked: AtomicBool,
    logged: Arc<AtomicBool>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if !self.is_asked.swap(true, Relaxed) && !self.logged.swap(true, Relaxed) {
            tracing::warn!(
                "The gzipped answer to a scrape is read inside of the application: if that is poem's `Compression`, \
                 Prometheus cannot read it; `.gzip(false)` at the endpoint, or the middleware outermost, mends that"
            );
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(|never| match never {})
    }

    fn is_end_stream(&self) -> bool {
        self.is_asked.store(true, Relaxed);
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
