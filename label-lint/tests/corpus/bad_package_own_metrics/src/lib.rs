use metrics::Label;
pub fn f() {
    metrics::counter!("x_total", "user_id" => "1");
    let _ = Label::new("user_id", "1");
    real::counter!("x_total", "client" => "1").increment(1);
    metrics::forward!("x_total", "shard" => "1");
}
