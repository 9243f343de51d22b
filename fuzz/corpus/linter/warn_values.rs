use metrics::counter;
fn f(user_id: u64, email: &str, session: &Session, req: &Request) {
    counter!("compozy_jobs_total", "queue" => user_id.to_string()).increment(1);
    counter!("compozy_jobs_total", "queue" => email.to_owned()).increment(1);
    counter!("compozy_jobs_total", "queue" => format!("{}", session.token)).increment(1);
    counter!("compozy_jobs_total", "queue" => format!("q-{user_id}")).increment(1);
    counter!("compozy_http_requests_total", "path" => req.uri().path().to_owned()).increment(1);
    counter!("compozy_http_requests_total", "path" => req.path().to_owned()).increment(1);
    metrics::Label::new("queue", session.api_key());
    counter!("compozy_jobs_total", &[("queue", raw_path)]).increment(1);
}
