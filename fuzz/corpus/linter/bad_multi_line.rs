use metrics::counter;
fn f() {
    counter!(
        "compozy_http_requests_total",
        "method" => "GET",
        // a comment in between
        "user_agent" => "curl",
    )
    .increment(1);
}
