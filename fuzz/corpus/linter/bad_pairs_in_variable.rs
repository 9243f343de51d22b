use metrics::counter;
fn f() {
    let labels = [("client", "a"), ("queue", "b")];
    counter!("requests_total", &labels).increment(1);
}
