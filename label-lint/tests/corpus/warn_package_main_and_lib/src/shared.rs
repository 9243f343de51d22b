fn f() {
    metrics::counter!("x_total", "queue" => "1").increment(1);
}
