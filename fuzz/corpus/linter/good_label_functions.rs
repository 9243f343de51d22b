use metrics::{Key, Label};
fn f() {
    let _ = Key::from_parts("compozy_jobs_total", vec![Label::new("queue", "a")]);
    let _ = Key::from_name("compozy_jobs_total").with_extra_labels(vec![Label::new("task_type", "a")]);
}
