use metrics::{Key, Label, counter};
static QUEUE: [Label; 1] = [Label::from_static_parts("queue", "a")];
fn f() {
    let _ = Key::from_parts("compozy_http_requests_total", vec![Label::new("queue", "a"), Label::new("method", "GET")]);
    let _ = Key::from_static_parts("compozy_http_requests_total", &QUEUE);
    let labels = vec![Label::new("queue", "a"), Label::new("queue", "b"), Label::new("client", "c")];
    counter!("compozy_jobs_total", labels).increment(1);
}
