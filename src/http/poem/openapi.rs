//! The endpoint in an application's OpenAPI document, and the parameter names of its routes.

use poem::{Endpoint, Response, endpoint::make_sync, web::Html};
use poem_openapi::{OpenApi, OpenApiService, Webhook};
use serde_json::{Value, json};

use super::{middleware::HttpMetrics, template_aliases::normalized};
use crate::{MonitoringService, config::Access};

/// An application's OpenAPI document with the metrics endpoint in it, from [`MonitoringService::openapi`].
#[derive(Clone, Debug)]
pub struct OpenApiDocument {
    json: String,
    page: String,
}

impl MonitoringService {
    /// The document of an API, with the metrics endpoint added: its purpose, format, statuses and how to run it. It is
    /// at [`path`](Self::path), whatever prefix the servers of the API have. If the API has the same path itself, the
    /// API's description stays.
    ///
    /// ```
    /// use compozy_monitoring::MonitoringService;
    /// use poem::{EndpointExt, Route, test::TestClient};
    /// use poem_openapi::{OpenApi, OpenApiService, param::Path, payload::PlainText};
    ///
    /// struct Pets;
    ///
    /// #[OpenApi]
    /// impl Pets {
    ///     #[oai(path = "/pets/:id", method = "get")]
    ///     async fn pet(&self, id: Path<u64>) -> PlainText<String> {
    ///         PlainText(format!("pet {}", id.0))
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), compozy_monitoring::ConfigError> {
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// let service = MonitoringService::for_test();
    /// let api = OpenApiService::new(Pets, "Pets", "1.0").server("/api");
    /// let document = service.openapi(&api);
    /// let middleware = service.http_middleware().openapi("/api", &api); // `/api/pets/:id`, not `/api/pets/:param0`
    /// let app = Route::new()
    ///     .at("/docs", document.swagger_ui())
    ///     .at("/docs/openapi.json", document.endpoint())
    ///     .nest("/api", api);
    /// let app = service.metrics_endpoint().mount(app)?.with(middleware);
    ///
    /// # runtime.block_on(async {
    /// let client = TestClient::new(app);
    /// client.get("/api/pets/7").send().await.assert_text("pet 7").await;
    /// let document = client.get("/docs/openapi.json").send().await.json().await;
    /// let get = document.value().object().get("paths").object().get("/metrics").object().get("get");
    /// get.object().get("operationId").assert_string("compozyMetrics");
    /// # #[cfg(feature = "prometheus")]
    /// assert!(
    ///     service.render().contains(r#"compozy_http_requests_total{method="GET",path="/api/pets/:id",status_code="200"} 1"#)
    /// );
    /// # });
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "openapi")))]
    pub fn openapi<T: OpenApi, W: Webhook>(&self, api: &OpenApiService<T, W>) -> OpenApiDocument {
        let spec = api.spec();
        let json = with_metrics(&spec, self.path(), !matches!(self.access(), Access::Anybody));
        let page = api.swagger_ui_html().replacen(&spec, &json, 1);
        OpenApiDocument { json, page }
    }
}

impl OpenApiDocument {
    /// The document, as JSON.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Serves the document, as JSON.
    #[must_use]
    pub fn endpoint(&self) -> impl Endpoint + 'static + use<> {
        let json = self.json.clone();
        make_sync(move |_| Response::builder().content_type("application/json").body(json.clone()))
    }

    /// Serves Swagger UI with the document, in one page that loads nothing else.
    #[must_use]
    pub fn swagger_ui(&self) -> impl Endpoint + 'static + use<> {
        let page = self.page.clone();
        make_sync(move |_| Html(page.clone()))
    }
}

impl HttpMetrics {
    /// Counts the routes of an API with the names of its parameters. poem knows `/pets/:id` of an [`OpenApiService`] as
    /// `/pets/:param0`, and without this the label `path` has that. `mount` is the path at which the API is nested, `/`
    /// for the root. [`skip`](Self::skip) takes either spelling.
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "openapi")))]
    pub fn openapi<T: OpenApi, W>(mut self, mount: &str, _: &OpenApiService<T, W>) -> Self {
        let mount = normalized(mount);
        let mount = mount.trim_end_matches('/');
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            if let Some((poem, written)) = names(mount, &path.path) {
                let methods = path.operations.into_iter().map(|operation| (operation.method, written.clone()));
                self.aliases.0.entry(poem).or_default().extend(methods);
            }
        }
        self
    }
}

/// A path such as `/pets/{id}`, mounted at `/api`: as poem has it, and as it was written. `None` without parameters.
fn names(mount: &str, path: &str) -> Option<(String, String)> {
    let (mut poem, mut written, mut parameters) = (mount.to_owned(), mount.to_owned(), 0_u32..);
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => {
                poem += &format!("/:param{}", parameters.next()?);
                written += &format!("/:{name}");
            }
            None => [&mut poem, &mut written].into_iter().for_each(|text| *text += &format!("/{segment}")),
        }
    }
    (poem != written).then_some((poem, written))
}

/// Adds one path to the document and leaves everything else as it is. The path is inserted as text, because `serde_json` sorts
/// the keys that it reads.
fn with_metrics(spec: &str, path: &str, has_token: bool) -> String {
    insert(spec, path, &metrics(has_token)).unwrap_or_else(|| spec.to_owned())
}

/// `None` if the path is there already, or if the text is not as poem-openapi prints it: two spaces for each level, and a line
/// for each key. JSON writes a line break in a string as an escape, so a text that looks like such a line is one.
fn insert(spec: &str, path: &str, metrics: &Value) -> Option<String> {
    const START: &str = "\n  \"paths\": {";
    let start = spec.find(START)?.checked_add(START.len())?;
    let (before, rest) = spec.split_at_checked(start)?;
    // An empty object is closed on its line.
    let (paths, after) = if rest.starts_with('}') { ("", rest) } else { rest.split_at_checked(rest.find("\n  }")?)? };
    let after = after.trim_start();
    let key = format!("\n    {}: ", Value::from(path));
    if paths.contains(&key) {
        return None;
    }
    let comma = if paths.is_empty() { "" } else { "," };
    let metrics = serde_json::to_string_pretty(metrics).ok()?.replace('\n', "\n    ");
    Some(format!("{before}{paths}{comma}{key}{metrics}\n  {after}"))
}

/// The description of the endpoint.
fn metrics(has_token: bool) -> Value {
    let access = if has_token {
        "a bearer token of this endpoint's own, without which the answer is 401."
    } else {
        "no authentication. Restrict it by network: do not route it to the outside."
    };
    let text = |description: &str, media: &str, example: &str| json!({ "description": description, "content": { media: { "schema": { "type": "string" }, "example": example } } });
    json!({
        // At the root of the server that serves this document, not under the prefix of the API.
        "servers": [{ "url": "/" }],
        "get": {
            "operationId": "compozyMetrics",
            "tags": ["Monitoring"],
            "summary": "Metrics for Prometheus",
            "description": format!("All metrics of this process, for a Prometheus server to scrape.\n\n\
                - **Format**: as `Accept` asks for it, the Prometheus text format 0.0.4 (also for whoever asks for nothing), OpenMetrics text \
                1.0.0, or delimited protobuf messages `io.prometheus.client.MetricFamily`; gzip when the client accepts it. HEAD answers as GET, \
                without the body.\n\
                - **Interval**: 15 seconds is usual. A scrape is rendered when it is asked for, and scrapes that come together share one.\n\
                - **Versions**: none. The path is not under the API's version, and families and labels only grow.\n\
                - **Access**: {access}\n\
                - **Scope**: this instance only; sums over instances are the work of Prometheus."),
            "responses": {
                "200": {
                    "description": "The families.",
                    "content": {
                        "text/plain; version=0.0.4; charset=utf-8": {
                            "schema": { "type": "string" },
                            "example": "# HELP compozy_http_requests_in_flight Currently active requests\n\
                                # TYPE compozy_http_requests_in_flight gauge\ncompozy_http_requests_in_flight 1\n",
                        },
                        "application/openmetrics-text; version=1.0.0; charset=utf-8": {
                            "schema": { "type": "string" },
                            "example": "# HELP compozy_http_requests_in_flight Currently active requests\n\
                                # TYPE compozy_http_requests_in_flight gauge\ncompozy_http_requests_in_flight 1\n# EOF\n",
                        },
                        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited": {
                            "schema": { "type": "string", "format": "binary" },
                        },
                    },
                },
                "405": text("Another method than GET or HEAD.", "text/plain; charset=utf-8", "405: GET and HEAD only\n"),
                "500": text(
                    "The metrics could not be rendered; the log says why.",
                    "text/plain; charset=utf-8",
                    "500: the metrics could not be rendered\n",
                ),
                "503": text(
                    "Monitoring is off, with the reason. The application is well.",
                    "text/plain; charset=utf-8",
                    "503: monitoring is disabled; MONITORING_ENABLED=true enables it\n",
                ),
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_get_their_names_back() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(names("/api", "/pets/{id}"), pair("/api/pets/:param0", "/api/pets/:id"));
        assert_eq!(names("", "/{a}/x/{b}"), pair("/:param0/x/:param1", "/:a/x/:b"));
        assert_eq!((names("/api", "/pets"), names("", "/")), (None, None));
        assert_eq!(names("", "/{param0}"), None, "it is called so already");
    }

    #[test]
    fn a_path_that_is_there_stays_and_what_is_no_document_too() {
        let own = "{\n  \"paths\": {\n    \"/metrics\": {\n      \"get\": {}\n    }\n  }\n}";
        for same in [own, "", "[]", "{\"paths\":1}", "{}"] {
            assert_eq!(with_metrics(same, "/metrics", false), same);
        }
    }

    #[test]
    fn all_else_is_the_same_to_the_byte() {
        // A key and a text that look like the place, a number that a parser would print in another way, and unsorted keys.
        for paths in ["{}", "{\n    \"/z\": {\n      \"get\": \"\\n  \\\"paths\\\": {\"\n    },\n    \"/a\": {}\n  }"] {
            let spec = format!(
                "{{\n  \"openapi\": \"3.0.0\",\n  \"x\": {{\n    \"paths\": {{}}\n  }},\n  \"y\": 1.0,\n  \"paths\": {paths},\n  \"a\": 1e2\n}}"
            );
            let with = with_metrics(&spec, "/m", false);
            let document: Value = serde_json::from_str(&with).unwrap();
            assert_eq!(document["paths"]["/m"]["servers"][0]["url"], "/");
            let metrics = serde_json::to_string_pretty(&metrics(false)).unwrap().replace('\n', "\n    ");
            let added = format!("\n    \"/m\": {metrics}");
            let added = if paths == "{}" { format!("{added}\n  ") } else { format!(",{added}") };
            let without = with.replacen(&added, "", 1);
            assert_eq!(without, spec);
        }
    }
}
