fn f(name: &'static str) {
    metrics::counter!(name, "queue" => "a").increment(1);
    metrics::gauge!(format!("depth_{}", name), "task_type" => "a").set(1);
    metrics::describe_gauge!(name, "help");
}
