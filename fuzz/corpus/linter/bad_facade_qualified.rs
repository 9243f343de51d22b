fn f(user: &str) {
    compozy_monitoring::counter!("compozy_jobs_total", "user" => user.to_owned()).increment(1);
}
