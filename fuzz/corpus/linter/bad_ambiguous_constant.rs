mod a {
    pub const NAME: &str = "queue";
}
mod b {
    pub const NAME: &str = "client";
}
fn f() {
    metrics::counter!("requests_total", unknown::NAME => "x").increment(1);
    metrics::counter!("requests_total", a::NAME => "x").increment(1);
    metrics::counter!("requests_total", b::NAME => "x").increment(1);
}
