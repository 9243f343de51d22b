fn f() {
    compozy_monitoring::counter!("compozy_jobs_total", "queue" => "default").increment(1);
    compozy_monitoring::gauge!("compozy_depth").set(1.0);
    compozy_monitoring::histogram!("compozy_wait_seconds", "task_type" => "basic").record(0.1);
    compozy_monitoring::describe_counter!("compozy_jobs_total", "Jobs");
}
