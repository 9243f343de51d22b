const QUEUE: &str = "queue";
fn f(given: &'static str) {
    let label = "queue";
    let label = given;
    metrics::counter!("requests_total", label => "x").increment(1);
}
