mod common;
use common::SHARD;

#[test]
fn t() {
    metrics::counter!("requests_total", SHARD => "a").increment(1);
    metrics::counter!("requests_total", crate::common::SHARD => "a").increment(1);
    metrics::counter!("requests_total", under_test::CLIENT => "a").increment(1);
}
