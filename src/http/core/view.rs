//! The page for people, as `http` types: what monitoring knows, without a Prometheus.

use std::future::Future;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY},
};

use super::scrape::{answer, response};
use crate::MonitoringService;

const STYLE: &str = include_str!("page.css");
/// Nothing but the style above, which is named by its hash: `openssl dgst -sha256 -binary src/http/core/page.css | base64`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'sha256-o5LuDmEjMgi/2Sh/wUSfB4kzWxpZu3OCZyOC4KKka+o='; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The page for people that [`MonitoringService::view_endpoint`] gives: an endpoint of poem and a `tower::Service`. Its
/// clones share their renderings.
///
/// GET and HEAD answer 200 with the page. Other methods answer 405. While the service is off, the page says why, with
/// the status 503. If the service has a [token](crate::Config::bearer_token), the page requires it too.
#[derive(Clone, Debug)]
pub struct ViewEndpoint {
    service: MonitoringService,
    #[cfg(feature = "prometheus")]
    shared: std::sync::Arc<super::shared_render::SharedRender>,
}

impl MonitoringService {
    /// A page for people, at any path that the application chooses: status, routes, all families with a picture of each
    /// histogram, the number of series and the cap, rejected labels and caught faults. It is HTML and CSS, without
    /// scripts and outside resources.
    ///
    /// It shows what a scrape shows, so guard both alike.
    ///
    /// ```
    /// # #[cfg(feature = "http-poem")]
    /// # async fn page() {
    /// use compozy_monitoring::MonitoringService;
    /// use poem::{Route, test::TestClient};
    ///
    /// let service = MonitoringService::for_test();
    /// let app = Route::new().at("/", service.view_endpoint());
    /// let page = TestClient::new(app).get("/").send().await;
    /// # #[cfg(feature = "prometheus")]
    /// page.assert_status_is_ok();
    /// # let _ = page;
    /// # }
    /// # #[cfg(feature = "http-poem")]
    /// # tokio::runtime::Runtime::new().unwrap().block_on(page());
    /// ```
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "view")))]
    pub fn view_endpoint(&self) -> ViewEndpoint {
        ViewEndpoint {
            service: self.clone(),
            #[cfg(feature = "prometheus")]
            shared: std::sync::Arc::default(),
        }
    }
}

impl ViewEndpoint {
    /// The answer to a request of this method and with these headers.
    #[cfg_attr(not(any(feature = "http-poem", feature = "http-tower")), allow(dead_code))]
    pub(crate) fn answer(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> impl Future<Output = Response<Bytes>> + Send + use<> {
        let view = self.clone();
        answer(&self.service, method, headers, async move { view.page().await })
    }

    async fn page(&self) -> Response<Bytes> {
        #[cfg(feature = "prometheus")]
        if let Some(store) = self.service.store() {
            return match self.shared.render(store, crate::exposition::Format::Page).await {
                Some(rendered) => self.html(StatusCode::OK, &String::from_utf8_lossy(&rendered.body())),
                None => self.html(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "<p>The page could not be rendered; the log says why.</p>",
                ),
            };
        }
        // No character of a reason means anything in HTML.
        let reason = self.service.why_off();
        self.html(StatusCode::SERVICE_UNAVAILABLE, &format!("<p>Monitoring is off: {reason}.</p>"))
    }

    fn html(&self, status: StatusCode, content: &str) -> Response<Bytes> {
        // A path that the configuration accepts needs no escape.
        let path = self.service.path();
        let page = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><title>Monitoring</title><style>{STYLE}</style></head><body><main>\
             <h1>Monitoring</h1><p><a href=\"{path}\">Metrics as text</a> · <a \
             href=\"https://docs.rs/compozy-monitoring\">Documentation and queries</a></p>{content}</main></body></html>\n"
        );
        let mut response = response(status, HeaderValue::from_static("text/html; charset=utf-8"), page.into());
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}
