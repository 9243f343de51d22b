//! The labels `method` and `status_code`, and what stands for a path without a template.

use http::{Method as HttpMethod, StatusCode};

use super::{UNKNOWN, UNMATCHED};
use crate::{builtin::catalogue::Method, schema::family::ClosedLabel};

/// The status of an answer that HTTP does not have.
const OTHER_STATUS: &str = "other";

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

pub(crate) fn method_label(method: Method) -> &'static str {
    Method::VALUES.get(method.index()).copied().unwrap_or_default()
}

/// An answer has 101 or a status of the classes 2xx to 5xx. A handler can return any number up to 999.
pub(crate) fn status_label(status: &StatusCode) -> &str {
    match status.as_u16() {
        101 | 200..=599 => status.as_str(),
        _ => OTHER_STATUS,
    }
}

/// 499, as nginx counts a client that left before the answer.
pub(crate) fn client_closed_request() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}

/// The path of an answer without a template.
pub(crate) fn path_without_template(status: StatusCode) -> &'static str {
    if status == StatusCode::NOT_FOUND { UNMATCHED } else { UNKNOWN }
}
