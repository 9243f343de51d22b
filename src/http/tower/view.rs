//! The page for people as a `tower::Service`.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use crate::http::core::{scrape::MetricsBody, view::ViewEndpoint};

impl<B> Service<Request<B>> for ViewEndpoint {
    type Response = Response<MetricsBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<B>) -> Self::Future {
        let answer = self.answer(req.method(), req.headers());
        Box::pin(async { Ok(answer.await.map(MetricsBody::new)) })
    }
}
