use metrics::counter;
const OWN: &str = "client";
include!("part.in");
#[path = "elsewhere/other.rs"]
mod renamed;
mod inline { pub mod deep; }
pub fn f() {
    counter!("x_total", LABEL => "1").increment(1);
    counter!("x_total", renamed::L => "1").increment(1);
    counter!("x_total", inline::deep::L => "1").increment(1);
    include!("body.in");
}
