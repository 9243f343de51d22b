//! The page for people (feature `view`), on poem and on tower.
#![cfg(all(feature = "prometheus", feature = "http-poem", feature = "http-tower", feature = "view"))]

use compozy_monitoring::{Config, MonitoringService, ViewEndpoint};
use http::{Method, Request, Response, StatusCode, header::CONTENT_SECURITY_POLICY};
use http_body_util::BodyExt;
use tower::ServiceExt;

compozy_monitoring::families! {
    /// Letters & parcels <b>
    counter LETTERS = "compozy_view_letters_total" { queue: str };
    /// Size of a letter
    histogram SIZES = "compozy_view_letter_bytes";
}

async fn page(view: ViewEndpoint, request: Request<()>) -> (StatusCode, http::HeaderMap, String) {
    let response: Response<_> = view.oneshot(request).await.expect("infallible");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("bytes").to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).expect("UTF-8"))
}

fn get() -> Request<()> {
    Request::new(())
}

#[tokio::test]
async fn the_page_has_status_families_pictures_and_means() {
    let service = MonitoringService::for_test();
    compozy_monitoring::build_info!(service);
    service.in_scope(|| {
        LETTERS.with("default").increment(3);
        SIZES.record(2_048);
        SIZES.record(4_096);
        compozy_monitoring::gauge!("foreign_depth").set(2);
    });
    let (status, headers, page) = page(service.view_endpoint(), get()).await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert!(
        headers[CONTENT_SECURITY_POLICY].to_str().expect("text").starts_with("default-src 'none'; style-src 'sha256-")
    );
    for part in [
        "<a href=\"/metrics\">",
        "<th scope=\"row\">Monitoring</th><td>on</td>",
        "<th scope=\"row\">Health</th><td>well</td>",
        "<th scope=\"row\">Version</th><td>0.1.0</td>",
        "<h3>compozy_view_letters_total</h3><p>Letters &amp; parcels &lt;b&gt;</p>",
        "<th scope=\"row\">queue=default</th><td class=\"n\">3</td>",
        // The mean, and the picture in words.
        "<td class=\"n\">2</td><td class=\"n\">3.0 KiB</td>",
        "aria-label=\"2 up to 10000\"",
        "sum(rate(compozy_view_letters_total[5m]))",
        "<h2>Families of libraries and of the process</h2><h3>foreign_depth</h3>",
    ] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }
    for part in ["<script", "http://", "style=", "onclick", "url("] {
        assert!(!page.contains(part), "{part} in\n{page}");
    }
}

#[tokio::test]
async fn values_are_escaped_and_many_series_are_cut() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        LETTERS.with("\"><script>alert('x')</script>").increment(1);
        (0..30).for_each(|n| LETTERS.with(&format!("queue-{n:02}")).increment(1));
    });
    let (_, _, page) = page(service.view_endpoint(), get()).await;
    assert!(!page.contains("<script>"), "{page}");
    assert!(page.contains("queue=&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"), "{page}");
    assert!(page.contains("and 11 more in the text") && !page.contains("queue-29"), "{page}");
    // Against the cap.
    assert!(
        page.contains(
            "<th scope=\"row\">compozy_view_letters_total</th><td class=\"n\">31</td><td class=\"n\">2000</td>"
        ),
        "{page}"
    );
}

#[tokio::test]
async fn findings_are_named() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        SIZES.record(f64::NAN);
        metrics::counter!("compozy_view_other_total", "nobody_knows" => "x").increment(1);
    });
    let _ = service.render();
    let (_, _, page) = page(service.view_endpoint(), get()).await;
    assert!(page.contains("<th scope=\"row\">compozy_view_other_total</th><td>labels were dropped</td>"), "{page}");
    assert!(page.contains("<th scope=\"row\">compozy_view_letter_bytes</th><td>a fault while recording"), "{page}");
    assert!(page.contains("a fault of monitoring was caught within the last minute"), "{page}");
}

#[tokio::test]
async fn a_page_of_a_service_that_is_off_says_why() {
    let service = MonitoringService::new(None).expect("valid");
    let (status, headers, page) = page(service.view_endpoint(), get()).await;
    assert_eq!(status, 503);
    assert!(headers.contains_key(CONTENT_SECURITY_POLICY));
    assert!(page.contains("Monitoring is off: monitoring is disabled; MONITORING_ENABLED=true enables it."), "{page}");
}

#[tokio::test]
async fn the_page_answers_get_and_head_and_asks_for_the_token() {
    let service = MonitoringService::for_test();
    let request = |method: Method| {
        let mut request = get();
        *request.method_mut() = method;
        request
    };
    let (_, whole, text) = page(service.view_endpoint(), request(Method::GET)).await;
    let (status, headers, body) = page(service.view_endpoint(), request(Method::HEAD)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    assert_eq!(headers.get("content-type"), whole.get("content-type"));
    assert!(headers["content-length"].to_str().expect("a number").parse::<usize>().expect("a number") > text.len() / 2);
    assert_eq!(page(service.view_endpoint(), request(Method::POST)).await.0, 405);

    let guarded = MonitoringService::new(Config::default().bearer_token("s3cret")).expect("valid");
    let (status, headers, body) = page(guarded.view_endpoint(), get()).await;
    assert_eq!((status, body.as_str()), (StatusCode::UNAUTHORIZED, ""));
    assert_eq!(headers["www-authenticate"], "Bearer");
    let mut request = get();
    request.headers_mut().insert("authorization", "Bearer s3cret".parse().expect("valid"));
    assert_eq!(page(guarded.view_endpoint(), request).await.0, 503);
}

#[tokio::test]
async fn poem_serves_the_same_page_and_counts_its_routes() {
    use poem::{EndpointExt, Route, endpoint::make_sync, test::TestClient};

    let service = MonitoringService::for_test();
    let app = Route::new()
        .at("/users/:id", make_sync(|_| "a user"))
        .at("/status", service.view_endpoint())
        .with(service.http_middleware().skip("/status"));
    let client = TestClient::new(app);
    client.get("/users/7").send().await.assert_status_is_ok();
    let answer = client.get("/status").send().await;
    answer.assert_status_is_ok();
    answer.assert_header("content-type", "text/html; charset=utf-8");
    let page = answer.0.into_body().into_string().await.expect("text");
    assert!(
        page.contains("<th scope=\"row\">/users/:id</th><td>GET</td><td class=\"n\">1</td><td class=\"n\">0</td>"),
        "{page}"
    );
    // Nothing is counted twice because it is looked at.
    assert!(page.contains("compozy_http_requests_in_flight"), "{page}");
}
