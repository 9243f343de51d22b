use metrics::counter as r#type;
fn f() {
    r#type!("requests_total", r"client" => "a", r#"shard"# => "b").increment(1);
}
