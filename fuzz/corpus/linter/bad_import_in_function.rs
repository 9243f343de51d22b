fn f() {
    use metrics::counter;
    counter!("requests_total", "client" => "a").increment(1);
}
