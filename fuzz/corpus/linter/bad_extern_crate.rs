extern crate metrics as m;
fn f() {
    m::counter!("requests_total", "client" => "a").increment(1);
}
