// counter!("requests_total", "user_id" => 1)
/* metrics::Label::new("user_id", "1") */
const TEXT: &str = r#"metrics::counter!("requests_total", "user_id" => "1")"#;
fn f() {
    println!("counter!(\"requests_total\", \"user_id\" => 1)");
    let map = std::collections::HashMap::from([("user_id", 1)]);
    tracing::info!(user_id = 1, "done");
}
