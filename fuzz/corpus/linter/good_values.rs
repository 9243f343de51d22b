use metrics::counter;
fn f(template: &str, width: u32, valid: bool, method: &Method) {
    counter!("compozy_jobs_total", "queue" => width.to_string(), "task_type" => valid.to_string()).increment(1);
    counter!("compozy_http_requests_total", "path" => template.to_owned(), "method" => method.as_str().to_owned()).increment(1);
    counter!("compozy_jobs_total", "queue" => BUILD_ID).increment(1);
}
