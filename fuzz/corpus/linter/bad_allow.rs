fn f() {
    metrics::counter!("requests_total", "client" => "a").increment(1); // label-lint: allow(client)
    // label-lint: allow(client) nothing of the kind below
    metrics::counter!("requests_total", "queue" => "a").increment(1);
    // label-lint: allow client
    // label-lint: deny(client) no such word
    // label-lint: allow() nothing
    metrics::counter!("requests_total", "shard" => "a").increment(1); // label-lint: allow(client) the wrong one
}
