//! The endpoint in an OpenAPI document, in a real browser, and the names of parameters in labels.
//!
//! Needs `chromium` and a Python with `openapi-spec-validator`: `scripts/setup` installs both.
#![cfg(all(feature = "prometheus", feature = "openapi"))]

use crate::common;

use std::process::{Command, Stdio};

use common::{
    processes::{Folder, free_port, get, serve},
    samples, tool, value,
};
use compozy_monitoring::MonitoringService;
use poem::{Endpoint, EndpointExt, Response, Route, http::StatusCode, test::TestClient};
use poem_openapi::{OpenApi, OpenApiService, param, payload::PlainText};

struct Pets;

#[OpenApi]
impl Pets {
    #[oai(path = "/:owner/pets", method = "get")]
    async fn pets(&self, owner: param::Path<String>) -> PlainText<String> {
        PlainText(owner.0)
    }

    #[oai(path = "/:owner/pets/:pet/toys/:toy", method = "get")]
    async fn toy(
        &self,
        owner: param::Path<String>,
        pet: param::Path<String>,
        toy: param::Path<String>,
    ) -> PlainText<String> {
        assert!(toy.0 != "bomb", "on purpose");
        PlainText(format!("{} {} {}", owner.0, pet.0, toy.0))
    }
}

fn pets() -> OpenApiService<Pets, ()> {
    OpenApiService::new(Pets, "Pets", "1.0")
}

/// The paths that were counted.
fn paths(service: &MonitoringService) -> Vec<String> {
    let text = service.render();
    let series = samples(&text).into_keys().filter(|series| series.starts_with("compozy_http_requests_total{"));
    series.filter_map(|series| Some(series.split_once("path=\"")?.1.split('"').next()?.to_owned())).collect()
}

async fn ask(app: impl Endpoint, path: &str) -> StatusCode {
    TestClient::new(app).get(path).send().await.0.status()
}

#[tokio::test]
async fn parameters_are_called_what_they_are_called() {
    // As poem takes it in `nest`.
    for (mount, at) in [("/api", "/api"), ("/api/", "/api"), ("/a/b", "/a/b"), ("api", "/api"), ("//a//b/", "/a/b")] {
        let service = MonitoringService::for_test();
        let app = Route::new().nest(mount, pets()).with(service.http_middleware().openapi(mount, &pets()));
        let mount = at;
        for path in ["/ada/pets", "/ada/pets/rex/toys/ball", "/bob/pets/tom/toys/mouse"] {
            assert_eq!(ask(&app, &format!("{mount}{path}")).await, 200, "{mount}{path}");
        }
        assert_eq!(paths(&service), [format!("{mount}/:owner/pets"), format!("{mount}/:owner/pets/:pet/toys/:toy")]);
        let series = format!(
            r#"compozy_http_requests_total{{method="GET",path="{mount}/:owner/pets/:pet/toys/:toy",status_code="200"}}"#
        );
        assert_eq!(value(&service.render(), &series), 2.0);
    }
}

#[tokio::test]
async fn without_the_call_and_for_other_routes_nothing_changes() {
    let service = MonitoringService::for_test();
    let app = Route::new().nest("/api", pets()).with(service.http_middleware());
    ask(&app, "/api/ada/pets").await;
    assert_eq!(paths(&service), ["/api/:param0/pets"]);

    let service = MonitoringService::for_test();
    let other = Route::new().at("/x/:param0", poem::endpoint::make_sync(|_| "x"));
    let app = other.nest("/api", pets()).with(service.http_middleware().openapi("/elsewhere", &pets()));
    ask(&app, "/api/ada/pets").await;
    ask(&app, "/x/1").await;
    assert_eq!(paths(&service), ["/api/:param0/pets", "/x/:param0"]);
}

#[tokio::test]
async fn a_request_that_loses_its_template_gets_the_name_back_too() {
    let service = MonitoringService::for_test();
    let catch = poem::middleware::CatchPanic::new();
    let app = Route::new().nest("/api", pets()).with(service.http_middleware().openapi("/api", &pets())).with(catch);
    assert_eq!(ask(&app, "/api/ada/pets/rex/toys/ball").await, 200);
    assert_eq!(ask(&app, "/api/ada/pets/rex/toys/bomb").await, 500);
    let series = |status| {
        format!(
            r#"compozy_http_requests_total{{method="GET",path="/api/:owner/pets/:pet/toys/:toy",status_code="{status}"}}"#
        )
    };
    let text = service.render();
    assert_eq!((value(&text, &series(200)), value(&text, &series(500))), (1.0, 1.0));
}

/// One route of poem's, with a name for each method.
struct Named;

#[OpenApi]
impl Named {
    #[oai(path = "/pets/:id", method = "get")]
    async fn pet(&self, id: param::Path<u64>) -> PlainText<String> {
        PlainText(id.0.to_string())
    }

    #[oai(path = "/pets/:name", method = "post")]
    async fn name(&self, name: param::Path<String>) -> PlainText<String> {
        assert!(name.0 != "bomb", "on purpose");
        PlainText(name.0)
    }
}

#[tokio::test]
async fn each_method_has_the_names_that_were_written_for_it() {
    let named = || OpenApiService::new(Named, "Named", "1.0");
    let ask = async |skip: &str| {
        let service = MonitoringService::for_test();
        let catch = poem::middleware::CatchPanic::new();
        let middleware = service.http_middleware().openapi("/api", &named()).skip(skip);
        let app = Route::new().nest("/api", named()).with(catch).with(middleware);
        for (method, path) in [("GET", "7"), ("HEAD", "7"), ("POST", "ada"), ("POST", "bomb"), ("DELETE", "7")] {
            let method = method.parse().unwrap();
            let uri = format!("/api/pets/{path}").parse().unwrap();
            app.get_response(poem::Request::builder().method(method).uri(uri).finish()).await;
        }
        let text = service.render();
        let series = samples(&text).into_iter().filter_map(|(series, n)| {
            assert!(n == 1.0 || !series.starts_with("compozy_http_requests_total{"));
            series.strip_prefix("compozy_http_requests_total").map(str::to_owned)
        });
        series.collect::<Vec<_>>()
    };
    let row = |method, path, status| format!(r#"{{method="{method}",path="/api/pets/{path}",status_code="{status}"}}"#);
    let all = [
        // No route of the method: by the name that was written first.
        row("DELETE", ":id", 405),
        row("GET", ":id", 200),
        row("HEAD", ":id", 200),
        row("POST", ":name", 200),
        row("POST", ":name", 500),
    ];
    assert_eq!(ask("/elsewhere").await, all);
    assert_eq!(ask("/api/pets/:id").await, all[3..]);
    assert_eq!(ask("/api/pets/:name").await, all[..3]);
    assert_eq!(ask("/api/pets/:param0").await, [""; 0]);
}

#[test]
fn the_document_is_the_application_s_own_to_the_byte_but_for_one_path() {
    #[derive(poem_openapi::Object)]
    struct Zebra {
        zeal: f64,
        age: u8,
        mass: Vec<String>,
    }
    struct Ordered;
    #[OpenApi]
    impl Ordered {
        /// Zebras
        #[oai(path = "/zebras", method = "get")]
        async fn zebras(&self) -> poem_openapi::payload::Json<Zebra> {
            poem_openapi::payload::Json(Zebra { zeal: 1.0, age: 1, mass: Vec::new() })
        }

        /// Ants, with a text that looks like the place: "paths": {
        #[oai(path = "/ants", method = "get")]
        async fn ants(&self) -> PlainText<String> {
            PlainText(String::new())
        }
    }
    let api = OpenApiService::new(Ordered, "Ordered", "1.0").description("Two\n  \"paths\": {\n  }").server("/api");
    let (service, own) = (MonitoringService::for_test(), api.spec());
    let document = service.openapi(&api);
    let (start, rest) = document.json().split_once(",\n    \"/metrics\": {").expect("at the end of the paths");
    let (metrics, end) = rest.split_once("\n    }\n  }").expect("its end");
    assert_eq!(format!("{start}\n  }}{end}"), own);
    assert!(metrics.contains("compozyMetrics"));
    let parsed: serde_json::Value = serde_json::from_str(document.json()).unwrap();
    assert_eq!(parsed["paths"].as_object().unwrap().len(), 3);
    // The page has the same.
    let page = futures_util::FutureExt::now_or_never(document.swagger_ui().get_response(poem::Request::default()));
    let page = page.unwrap().into_body();
    let page = futures_util::FutureExt::now_or_never(page.into_string()).unwrap().unwrap();
    assert!(page.contains(document.json()));
}

#[tokio::test]
async fn skip_takes_either_spelling() {
    for spelling in ["/api/:owner/pets", "/api/:param0/pets"] {
        let service = MonitoringService::for_test();
        let middleware = service.http_middleware().skip(spelling).openapi("/api", &pets());
        let app = Route::new().nest("/api", pets()).with(middleware);
        ask(&app, "/api/ada/pets").await;
        ask(&app, "/api/ada/pets/rex/toys/ball").await;
        assert_eq!(paths(&service), ["/api/:owner/pets/:pet/toys/:toy"], "{spelling}");
    }
}

#[tokio::test]
async fn the_statuses_of_the_document_are_those_of_the_endpoint() {
    let service = MonitoringService::for_test();
    let document: serde_json::Value = serde_json::from_str(service.openapi(&pets()).json()).unwrap();
    let responses = &document["paths"]["/metrics"]["get"]["responses"];
    let answer = |response: &Response| {
        let status = response.status().as_u16().to_string();
        (status, response.content_type().unwrap().to_owned())
    };
    let endpoint = service.metrics_endpoint();
    let scrape = endpoint.call(poem::Request::default()).await.unwrap();
    let post = endpoint.call(poem::Request::builder().method(poem::http::Method::POST).finish()).await.unwrap();
    service.shutdown();
    let off = endpoint.call(poem::Request::default()).await.unwrap();
    for (expected, response) in [("200", scrape), ("405", post), ("503", off)] {
        let (status, media) = answer(&response);
        assert_eq!(status, expected);
        assert!(!responses[&status]["content"][&media].is_null(), "{status} {media} in {responses}");
    }
}

/// Whether an independent validator takes it.
fn valid(document: &str) -> bool {
    let folder = Folder::new("openapi-document");
    let file = folder.0.join("openapi.json");
    std::fs::write(&file, document).unwrap();
    let mut command = Command::new(tool("python3"));
    command.args(["-m", "openapi_spec_validator"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("openapi-spec-validator: scripts/setup installs it").success()
}

/// The page after its scripts ran, as a browser has it.
fn browser(url: &str) -> String {
    let folder = Folder::new(&format!("chromium-{}", free_port()));
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,1400"])
        .arg(format!("--user-data-dir={}", folder.0.display()))
        .args(["--virtual-time-budget=20000", "--dump-dom", url])
        .stderr(Stdio::null())
        .output()
        .expect("chromium: scripts/setup installs it");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_example_s_document_is_valid_and_a_browser_shows_the_endpoint() {
    for path in ["/metrics", "/internal/numbers"] {
        let port = free_port();
        let _server = serve(port, &[("MONITORING_ENABLED", "true"), ("MONITORING_PATH", path)]);
        assert_eq!(get(port, "/api/v1/greetings/Ada").unwrap().1, "Hello, Ada!\n");
        let label = r#"compozy_http_requests_total{method="GET",path="/api/v1/greetings/:name",status_code="200"}"#;
        assert_eq!(value(&get(port, path).unwrap().1, label), 1.0);

        let (status, document) = get(port, "/docs/openapi.json").unwrap();
        assert_eq!(status, 200);
        assert!(valid(&document), "{document}");
        assert!(!valid(&document.replace("\"responses\"", "\"answers\"")), "the validator sees what is wrong");

        let page = browser(&format!("http://127.0.0.1:{port}/docs"));
        let (_, shown) = page.split_once("<body").expect("a body");
        // The scripts hold the document's text as well: what is rendered has the elements of Swagger UI.
        let entry = format!("data-path=\"{path}\"");
        assert!(shown.contains(&entry) && shown.contains("Metrics for Prometheus"), "no entry in {} bytes", page.len());
        assert!(shown.contains("data-path=\"/greetings/{name}\""), "the API's own");
        let other = if path == "/metrics" { "/internal/numbers" } else { "/metrics" };
        assert!(!shown.contains(&format!("data-path=\"{other}\"")));
    }
}
