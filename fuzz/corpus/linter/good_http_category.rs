use metrics::counter;
fn f() {
    counter!("compozy_http_requests_total", "method" => "GET", "path" => "/", "status_code" => "200").increment(1);
}
