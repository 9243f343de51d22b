//! Where the template of a request comes from: the framework, or a function of the application.

use std::{borrow::Cow, fmt, marker::PhantomData, sync::Arc};

use http::{Extensions, HeaderMap, Method, Request, Uri};

/// The head of a request, for the function of [`HttpLayer::template`](crate::HttpLayer::template).
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    #[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        Self { method, uri, headers, extensions: request.extensions() }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The URI. Its path is no template, because the client chooses it.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// What the framework added to the request, for instance the route that its router found.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }
}

/// Where an [`HttpLayer`](crate::HttpLayer) gets the template of a request from. Only this crate implements it. An
/// application passes a function to [`HttpLayer::template`](crate::HttpLayer::template).
pub trait Routes: Clone + Send + Sync + 'static + sealed::Sealed {
    /// A template. If its text has the same address for every request of a route, its series are found by that address.
    #[doc(hidden)]
    type Template: Clone + Send + Sync + 'static;

    #[doc(hidden)]
    fn template<'a>(&self, head: &RequestHead<'a>) -> Option<Cow<'a, Self::Template>>;

    #[doc(hidden)]
    fn text(template: &Self::Template) -> &str;
}

mod sealed {
    pub trait Sealed {}
}

/// The templates of the framework: with the feature `http-axum`, the `MatchedPath` of axum; without it, none.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultRoutes;

impl sealed::Sealed for DefaultRoutes {}

impl Routes for DefaultRoutes {
    #[cfg(feature = "http-axum")]
    type Template = axum::extract::MatchedPath;
    #[cfg(not(feature = "http-axum"))]
    type Template = std::convert::Infallible;

    #[inline]
    fn template<'a>(&self, head: &RequestHead<'a>) -> Option<Cow<'a, Self::Template>> {
        #[cfg(feature = "http-axum")]
        return head.extensions().get().map(Cow::Borrowed);
        #[cfg(not(feature = "http-axum"))]
        {
            let _ = head;
            None
        }
    }

    #[inline]
    fn text(template: &Self::Template) -> &str {
        #[cfg(feature = "http-axum")]
        return template.as_str();
        #[cfg(not(feature = "http-axum"))]
        match *template {}
    }
}

/// The function of [`HttpLayer::template`](crate::HttpLayer::template).
pub struct RouteFunction<F, T> {
    function: Arc<F>,
    template: PhantomData<fn() -> T>,
}

impl<F, T> RouteFunction<F, T> {
    pub(crate) fn new(function: F) -> Self {
        Self { function: Arc::new(function), template: PhantomData }
    }
}

impl<F, T> Clone for RouteFunction<F, T> {
    fn clone(&self) -> Self {
        Self { function: self.function.clone(), template: PhantomData }
    }
}

impl<F, T> fmt::Debug for RouteFunction<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteFunction").finish_non_exhaustive()
    }
}

impl<F, T> sealed::Sealed for RouteFunction<F, T> {}

impl<F, T> Routes for RouteFunction<F, T>
where
    F: Fn(&RequestHead<'_>) -> Option<T> + Send + Sync + 'static,
    T: AsRef<str> + Clone + Send + Sync + 'static,
{
    type Template = T;

    #[inline]
    fn template<'a>(&self, head: &RequestHead<'a>) -> Option<Cow<'a, T>> {
        (self.function)(head).map(Cow::Owned)
    }

    #[inline]
    fn text(template: &T) -> &str {
        template.as_ref()
    }
}
