pub use metrics;
pub mod telemetry {
    pub use metrics::{self as m, Key};
}
#[macro_export]
macro_rules! bump {
    ($value:expr) => {
        $crate::metrics::counter!("requests_total", "client" => $value).increment(1)
    };
}
fn f() {
    telemetry::m::counter!("requests_total", "shard" => "a").increment(1);
    let _ = telemetry::Key::from_parts("requests_total", &[("host", "a")]);
}
