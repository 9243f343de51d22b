//! The label `method`.

use http::Method as HttpMethod;

use crate::builtin::catalogue::Method;

/// The nine standard methods and `OTHER`: a client chooses the token, so it must not become a label value.
pub(crate) fn method_of(method: &HttpMethod) -> Method {
    match *method {
        HttpMethod::GET => Method::Get,
        HttpMethod::POST => Method::Post,
        HttpMethod::PUT => Method::Put,
        HttpMethod::DELETE => Method::Delete,
        HttpMethod::HEAD => Method::Head,
        HttpMethod::OPTIONS => Method::Options,
        HttpMethod::PATCH => Method::Patch,
        HttpMethod::CONNECT => Method::Connect,
        HttpMethod::TRACE => Method::Trace,
        _ => Method::Other,
    }
}
