use compozy_monitoring::metrics;
fn f() {
    metrics::counter!("requests_total", "client" => "a").increment(1);
    compozy_monitoring::metrics::gauge!("depth", "client" => "a").set(1);
}
