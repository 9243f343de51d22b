//! The service of the layer, and the future of a request.

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::routes::{RequestHead, Routes};
use crate::{
    http::core::{
        body::CountedBody,
        labels::{method_of, path_without_template},
        templates::{Path, SharedText, Templates},
        tracker::{Framework, InProgress, RequestTracker},
    },
    storage::store::Store,
};

pub(crate) type Tracker<R> = RequestTracker<Tower<R>>;

/// The routes of a layer. A request has its template from the start, so none gets lost on the way.
pub(crate) struct Tower<R>(pub(crate) R);

pub(crate) struct Template<R: Routes>(R::Template);

impl<R: Routes> Clone for Template<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Routes> SharedText for Template<R> {
    #[inline]
    fn text(&self) -> &str {
        R::text(&self.0)
    }
}

/// The template that a request came with.
pub(crate) enum Given<R: Routes> {
    Nothing,
    /// One that was seen before, by its place. A clone of the template would change a reference count, which all threads share,
    /// twice.
    Seen(usize),
    New(Template<R>),
}

impl<R: Routes> Given<R> {
    #[inline]
    fn new(templates: &Templates<Template<R>, ()>, template: Option<Cow<'_, R::Template>>) -> Self {
        let Some(template) = template else { return Self::Nothing };
        let seen = templates.place(R::text(&template)).map(Self::Seen);
        seen.unwrap_or_else(|| Self::New(Template(template.into_owned())))
    }
}

impl<R: Routes> Framework for Tower<R> {
    type Template = Template<R>;
    type Kept = ();
    type Request = Given<R>;

    #[inline]
    fn given<'a>(templates: &'a Templates<Self::Template, ()>, given: &'a Self::Request) -> Option<&'a Self::Template> {
        match given {
            Given::Nothing => None,
            Given::Seen(place) => templates.in_place(*place),
            Given::New(template) => Some(template),
        }
    }

    fn path<'a>(
        &'a self,
        templates: &'a Templates<Self::Template, ()>,
        _: &Store,
        given: &'a Self::Request,
        _: Option<&'a Self::Template>,
        status: StatusCode,
    ) -> Path<'a, Self::Template> {
        match Self::given(templates, given) {
            Some(template) if !template.text().is_empty() => Path::Template(template),
            _ => Path::Text(path_without_template(status)),
        }
    }
}

/// The service of an [`HttpLayer`](crate::HttpLayer).
pub struct HttpLayerService<S, R: Routes> {
    inner: S,
    tracker: Arc<Tracker<R>>,
}

impl<S, R: Routes> HttpLayerService<S, R> {
    pub(crate) fn new(inner: S, tracker: Arc<Tracker<R>>) -> Self {
        Self { inner, tracker }
    }
}

impl<S: Clone, R: Routes> Clone for HttpLayerService<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), tracker: self.tracker.clone() }
    }
}

impl<S: fmt::Debug, R: Routes> fmt::Debug for HttpLayerService<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLayerService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, R, B, B2> Service<Request<B>> for HttpLayerService<S, R>
where
    S: Service<Request<B>, Response = Response<B2>>,
    B2: Body,
    R: Routes,
{
    type Response = Response<CountedBody<B2>>;
    type Error = S::Error;
    type Future = HttpLayerFuture<S::Future, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, req: Request<B>) -> Self::Future {
        // From here on a panic is counted, also one inside of `call`.
        let mut request = InProgress::start(self.tracker.clone(), |tracker| {
            let template = tracker.framework.0.template(&RequestHead::of(&req));
            (method_of(req.method()), Given::new(&tracker.templates, template))
        });
        let scope = self.tracker.scope().map(|_| self.tracker.clone());
        let inner = {
            let _entered = scope.as_ref().and_then(|tracker| tracker.enter());
            self.inner.call(req)
        };
        if let Some(request) = &mut request {
            request.leave();
        }
        HttpLayerFuture { inner: Some(inner), request, scope }
    }
}

pin_project! {
    /// The future of an [`HttpLayerService`]: one request, up to its response head. When it is dropped, the handler is
    /// dropped first, then the part that counts the request.
    pub struct HttpLayerFuture<F, R: Routes> {
        #[pin]
        inner: Option<F>,
        request: Option<InProgress<Tower<R>, Arc<Tracker<R>>>>,
        // For a service that is not the process's one.
        scope: Option<Arc<Tracker<R>>>,
    }

    impl<F, R: Routes> PinnedDrop for HttpLayerFuture<F, R> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.scope.as_ref().and_then(|tracker| tracker.enter());
            this.inner.set(None);
        }
    }
}

impl<F, R: Routes> fmt::Debug for HttpLayerFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLayerFuture").finish_non_exhaustive()
    }
}

impl<F, R, B, E> Future for HttpLayerFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    R: Routes,
{
    type Output = Result<Response<CountedBody<B>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Only `drop` takes it out.
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        let polled = {
            let _entered = this.scope.as_ref().and_then(|tracker| tracker.enter());
            this.request.iter_mut().for_each(InProgress::enter);
            let polled = inner.poll(cx);
            this.request.iter_mut().for_each(InProgress::leave);
            polled
        };
        let answer = ready!(polled);
        let mut request = this.request.take();
        let status = match &answer {
            Ok(response) => response.status(),
            // The inner service failed, so the client gets no answer from it.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if let Some(request) = &mut request {
            request.finish(status, None);
        }
        Poll::Ready(answer.map(|response| {
            response.map(|body| {
                let streams = status != StatusCode::SWITCHING_PROTOCOLS && body.size_hint().exact().is_none();
                let in_flight = request.as_mut().filter(|_| streams).and_then(InProgress::hand_over);
                CountedBody::new(body, in_flight)
            })
        }))
    }
}
