use metrics::{Label, counter};
fn f(labels: &[Label], more: Vec<metrics::Label>) {
    counter!("requests_total", labels).increment(1);
    counter!("requests_total", more).increment(1);
    let mut built = vec![Label::new("queue", "a")];
    built.push(Label::new("task_type", "b"));
    counter!("requests_total", built).increment(1);
}
