use my_prelude::*;
fn f() {
    counter!("requests_total", "client" => "a").increment(1);
    counter!(state, 3);
    gauge!(width);
}
