struct Names;
impl Names {
    const CLIENT: &'static str = "client";
    fn f(&self) {
        metrics::counter!("requests_total", Self::CLIENT => "a").increment(1);
        metrics::counter!("requests_total", Names::CLIENT => "a").increment(1);
    }
}
