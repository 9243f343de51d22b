//! One scrape, as a server of the `http` types answers it, and its samples in any format.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use compozy_monitoring::MonitoringService;
use http::{HeaderName, HeaderValue, Method, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    protobuf,
    text::{self, Families, Labels},
};

/// What is asked.
pub struct Request {
    pub method: Method,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// In which an answer can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    OpenMetrics,
    Protobuf,
}

/// The samples of a family, by name and labels; bounds and quantiles as numbers.
pub type Samples = BTreeMap<(String, Labels), u64>;

impl Format {
    /// As a client asks for it.
    #[must_use]
    pub fn accept(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain",
            Self::OpenMetrics => "application/openmetrics-text;version=1.0.0",
            Self::Protobuf => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
        })
    }

    /// The families of an answer; panics at what breaks a rule of the format.
    #[must_use]
    pub fn parse(self, body: &[u8]) -> Families {
        let text = || std::str::from_utf8(body).expect("UTF-8");
        let parsed = match self {
            Self::Text => text::parse(text()),
            Self::OpenMetrics => text::parse_openmetrics(text()),
            Self::Protobuf => protobuf::parse(body),
        };
        parsed.unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(body)))
    }
}

/// The answer to a request.
pub fn ask(service: &MonitoringService, request: Request) -> Response<Vec<u8>> {
    let mut http = http::Request::new(());
    *http.method_mut() = request.method;
    for (name, value) in request.headers {
        http.headers_mut().append(name, value);
    }
    let answer = wait(service.metrics_service().call(http));
    let (parts, body) = match answer {
        Ok(answer) => answer.into_parts(),
        Err(never) => match never {},
    };
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    while let Some(frame) = wait(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))) {
        let Ok(frame) = frame;
        bytes.extend(frame.into_data().expect("data"));
    }
    Response::from_parts(parts, bytes)
}

/// Scrapes in a format.
#[must_use]
pub fn scrape(service: &MonitoringService, format: Format) -> Families {
    let headers = vec![(http::header::ACCEPT, format.accept())];
    format.parse(ask(service, Request { method: Method::GET, headers }).body())
}

/// Runs a future to its end on this thread.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
