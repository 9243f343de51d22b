fn f() {
    metrics::counter!(
        "requests_total",
        "client" => "a",
        "queue" => "a rather long value that makes the formatter break the line",
    )
    .increment(1); // label-lint: allow(client) three clients
    // label-lint: allow(client) above an attribute
    #[cfg(unix)]
    metrics::counter!("requests_total", "client" => "a").increment(1);
    // label-lint: allow(client) above a long call
    metrics::counter!(
        "requests_total",
        "client" => "a",
    )
    .increment(1);
    if true {} // a block before
    metrics::counter!("requests_total", "queue" => "a",
        "client" => "a").increment(1); // label-lint: allow(client) three clients
}
