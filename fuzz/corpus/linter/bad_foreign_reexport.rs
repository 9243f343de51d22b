fn f() {
    shared::metrics::counter!("requests_total", "client" => "a").increment(1);
    shared::deep::metrics::Label::new("shard", "b");
}
