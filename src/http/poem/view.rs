//! The page for people as an endpoint of poem.

use poem::{Endpoint, Request, Response, Result};

use crate::http::core::view::ViewEndpoint;

impl Endpoint for ViewEndpoint {
    type Output = Response;

    async fn call(&self, req: Request) -> Result<Response> {
        let answer = self.answer(req.method(), req.headers());
        drop(req);
        let (head, body) = answer.await.into_parts();
        let mut response = Response::builder().status(head.status).body(body);
        *response.headers_mut() = head.headers;
        Ok(response)
    }
}
