use metrics::counter;
fn f() {
    counter!("requests_total", &[("client", "a"), ("queue", "b")]).increment(1);
    counter!("requests_total", vec![("client", "a")]).increment(1);
}
