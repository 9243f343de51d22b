use metrics::counter;
fn f() {
    counter!("compozy_http_requests_total", "method" => "GET", "workflow_type" => "x", "queue" => "q").increment(1);
}
