// label-lint: allow(client) a function is more than a statement
fn f() {
    metrics::counter!("requests_total", "client" => "a").increment(1);
    metrics::counter!("requests_total", "client" => "a").increment(1); // label-lint: allow(client) here
    metrics::counter!("requests_total", "client" => "a").increment(1);
}
fn g() {
    // label-lint: allow(client) only the condition
    if cond(metrics::counter!("requests_total", "client" => "a")) {
        metrics::counter!("requests_total", "client" => "a").increment(1);
        other();
    }
    metrics::counter!(
        "requests_total",
        "client" => "a", // label-lint: allow(client) only this one
        "shard" => "a",
    );
}
