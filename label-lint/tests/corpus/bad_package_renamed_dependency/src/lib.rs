use telemetry::Label;

pub fn f() -> Label {
    telemetry::counter!("requests_total", "client" => "a").increment(1);
    facade::gauge!("compozy_depth", "client" => "a").set(1);
    metrics::counter!("not the facade here", "user_id" => 1);
    Label::new("shard", "a")
}
