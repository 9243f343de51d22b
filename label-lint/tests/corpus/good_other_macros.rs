use prometheus::{histogram_opts, register_counter};
fn f() {
    register_counter!("requests_total", "help");
    some::histogram!(bins = 10);
}
