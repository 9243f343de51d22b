use crate::labels::{self, CLIENT, FULL as NAME, QUEUE};
use metrics::counter;

pub fn f() {
    counter!(NAME, QUEUE => "a").increment(1);
    counter!(NAME, CLIENT => "a").increment(1);
    counter!(NAME, super::labels::CLIENT => "a").increment(1);
    counter!(NAME, labels::PAIRS).increment(1);
}
