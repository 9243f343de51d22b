use metrics::counter;
use std::collections::HashMap;
fn f(labels: &HashMap<String, String>) {
    counter!("requests_total", labels).increment(1);
    let mut grown = vec![("queue", "a")];
    grown.push(("client", "b"));
    counter!("requests_total", &grown).increment(1);
}
