mod metrics;
use crate::metrics::counter;

pub fn f() {
    counter!("requests_total", "user_id" => 1);
    metrics::Label::new("user_id", "1");
}
