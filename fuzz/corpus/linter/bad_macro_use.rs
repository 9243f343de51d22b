#[macro_use]
extern crate metrics;
fn f() {
    counter!("requests_total", "client" => "a").increment(1);
}
