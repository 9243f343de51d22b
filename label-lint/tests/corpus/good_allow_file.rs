// label-lint: allow-file(client, unresolved-name) a file of examples
fn f(name: &'static str) {
    metrics::counter!("requests_total", "client" => "a").increment(1);
}
fn g(name: &'static str) {
    metrics::counter!(name, "client" => "a").increment(1);
}
