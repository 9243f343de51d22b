use metrics::{Label, counter};
fn f(pairs: &[(String, String)]) {
    let labels: Vec<Label> = pairs.iter().map(|(k, v)| Label::new(k.clone(), v.clone())).collect();
    counter!("requests_total", labels).increment(1);
}
