use metrics::counter;
fn f() {
    counter!("outer_total", "queue" => { counter!("inner_total", "client" => "a").increment(1); "x" }).increment(1);
}
