// Neither `names` nor `words` has anything to check: they are read because this file leads there.
use names::*;

fn f() {
    metrics::counter!("x_total", USER => "1").increment(1);
    metrics::counter!("x_total", names::Keys::SHARD => "1").increment(1);
}
