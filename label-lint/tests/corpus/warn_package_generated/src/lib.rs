const L: &str = "user_id";
mod inner {
    use super::*;
    include!(concat!(env!("OUT_DIR"), "/labels.rs"));
    fn f() {
        metrics::counter!("x_total", L => "1").increment(1);
    }
}
cfg_if::cfg_if! {
    if #[cfg(unix)] {
        mod unix;
    } else {
        pub const P: &str = "queue";
    }
}
fn f() {
    metrics::counter!("x_total", P => "1").increment(1);
    metrics::counter!("x_total", unix::Q => "1").increment(1);
}
