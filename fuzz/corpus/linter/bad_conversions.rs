fn f() {
    metrics::counter!("requests_total", "client".to_string() => "a").increment(1);
    metrics::counter!(String::from("compozy_jobs"), "queue" => "a").increment(1);
}
