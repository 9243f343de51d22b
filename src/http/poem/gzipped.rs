//! A gzipped answer, and poem's `Compression`, which compresses what is compressed already. Prometheus cannot read that.
//!
//! An endpoint cannot see what is around it. The middleware of this crate sees the answer afterwards, and undoes it. Where
//! `Compression` is outside of that, or there is no middleware, a log line says so.

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
use http_body_util::{Full, combinators::BoxBody};
use poem::{
    Body, Response,
    http::{HeaderValue, header},
};

/// The bytes of the answer, kept on it for [`restore`].
#[derive(Clone)]
struct Gzipped(Bytes);

/// Makes an answer with these bytes one that is gzipped. `logged` is whether the log line was written.
pub(crate) fn encoded(response: &mut Response, bytes: Bytes, logged: Arc<AtomicBool>) {
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    response.set_data(Gzipped(bytes.clone()));
    let body = Watched { body: Full::new(bytes), is_asked: AtomicBool::new(false), logged };
    response.set_body(Body::from(BoxBody::new(body)));
}

/// Undoes a second encoding of such an answer; says whether there was one.
pub(crate) fn restore(response: &mut Response, is_head: bool) -> bool {
    let encodings = response.headers().get_all(header::CONTENT_ENCODING).iter().count();
    let Some(Gzipped(bytes)) = response.data::<Gzipped>().filter(|_| encodings > 1).cloned() else { return false };
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    response.set_body(if is_head { Bytes::new() } else { bytes });
    true
}

/// A body that knows who reads it: a server asks whether it is at its end before it reads, what encodes it again does not.
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
