const PREFIX: &str = "user";
fn f() {
    metrics::counter!(concat!("compozy_", "jobs"), concat!("user", "_", "name") => "a").increment(1);
    metrics::gauge!("depth", stringify!(client) => "a").set(1);
}
