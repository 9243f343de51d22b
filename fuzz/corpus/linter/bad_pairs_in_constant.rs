use metrics::counter;
const LABELS: &[(&str, &str)] = &[("client", "a")];
fn f() {
    counter!("requests_total", LABELS).increment(1);
}
