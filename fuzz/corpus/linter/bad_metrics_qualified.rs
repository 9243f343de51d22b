fn f() {
    metrics::counter!("requests_total", "client" => "a").increment(1);
    ::metrics::gauge!("depth", "shard" => "a").set(1);
}
