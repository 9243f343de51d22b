use metrics::counter;
const CLIENT: &str = "client";
static SHARD: &str = "shard";
fn f() {
    counter!("requests_total", CLIENT => "a", SHARD => "b").increment(1);
}
