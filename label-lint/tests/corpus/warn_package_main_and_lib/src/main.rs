mod shared;
const L: &str = "queue";
mod labels { pub const M: &str = "queue"; }
fn main() {
    metrics::counter!("x_total", L => "1").increment(1);
    metrics::counter!("x_total", crate::labels::M => "1").increment(1);
    metrics::counter!("x_total", ONLY_IN_LIB => "1").increment(1);
    metrics::counter!("x_total", both::OK => "1").increment(1);
}
