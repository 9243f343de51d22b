use metrics::*;
fn f() -> Label {
    counter!("requests_total", "client" => "a").increment(1);
    Label::new("shard", "a")
}
