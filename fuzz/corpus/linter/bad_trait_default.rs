trait Work {
    const LABEL: &'static str = "client";
    fn done(&self) {
        let label = "shard";
        metrics::counter!["requests_total", label => "a"].increment(1);
        metrics::counter! { "requests_total", Self::OTHER => "a" };
    }
}
