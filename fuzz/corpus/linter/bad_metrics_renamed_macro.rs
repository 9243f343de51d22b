use metrics::counter as bump;
fn f() {
    bump!("requests_total", "client" => "a").increment(1);
}
