fn f(id: u8) {
    metrics::counter!("requests_total", "client" => "a").increment(1); // label-lint: allow(client) three clients, all ours
    // label-lint: allow(shard, disallowed-label) a fixed number of shards
    metrics::counter!("requests_total", "shard" => "a").increment(1);
    // label-lint: allow(suspicious-value) one of eight
    // another comment
    metrics::counter!("compozy_jobs_total", "queue" => id.to_string()).increment(1);
    metrics::counter!(
        "requests_total",
        // label-lint: allow(host): the four hosts of the cluster
        "host" => "a",
    );
}
