fn f() {
    metrics::counter!("x_total", "rpc.service" => "1", "Method" => "GET", "" => "a").increment(1);
}
