mod labels {
    pub const CLIENT: &str = "client";
    pub const QUEUE: &str = "queue";
}
mod work {
    use super::labels;
    use super::labels::CLIENT as C;
    fn f() {
        metrics::counter!("requests_total", labels::CLIENT => "a").increment(1);
        metrics::counter!("requests_total", C => "a").increment(1);
        metrics::counter!("requests_total", crate::labels::QUEUE => "a").increment(1);
    }
}
