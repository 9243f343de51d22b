use metrics::{counter, histogram};
fn f() {
    counter!("requests_total", "client" => "a").increment(1);
    histogram!("wait", "client" => "a").record(1.0);
}
