fn f(flag: bool, n: u8) {
    metrics::counter!("requests_total", if flag { "queue" } else { "client" } => "a").increment(1);
    let label = match n { 0 => "queue", _ => "task_type" };
    metrics::counter!("requests_total", label => "a").increment(1);
}
