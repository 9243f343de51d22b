const Q: &str = "queue";
fn f() {
    metrics::counter!("compozy_jobs_total", "queue" => "a", "task_type" => "b", Q => "c").increment(1);
}
