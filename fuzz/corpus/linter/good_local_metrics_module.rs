mod metrics {
    macro_rules! count { ($($any:tt)*) => {}; }
    pub(crate) use count as counter;
    pub struct Label;
    impl Label {
        pub fn new(_: &str, _: &str) {}
    }
}
fn f() {
    metrics::counter!("requests_total", "user_id" => 3);
    metrics::Label::new("user_id", "3");
}
