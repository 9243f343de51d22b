macro_rules! counter {
    ($($any:tt)*) => {};
}
fn f() {
    counter!("requests_total", "user_id" => 3);
}
