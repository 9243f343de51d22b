use metrics::counter;
macro_rules! count {
    ($($rest:tt)*) => {
        metrics::counter!($($rest)*).increment(1)
    };
}
macro_rules! count_in {
    ($name:literal, $($rest:tt)*) => {
        count!(concat!("compozy_http_", $name), "method" => "GET", $($rest)*)
    };
}
#[macro_export]
macro_rules! record {
    ($kind:ident, $name:expr $(, $key:literal => $value:expr)* $(,)?) => {
        $crate::emit!($kind, $name $(, $key => $value)*)
    };
}
#[macro_export]
macro_rules! emit {
    (counter, $($rest:tt)+) => { $crate::__private::counter!($($rest)+).increment(1) };
    (gauge, $($rest:tt)+) => { $crate::__private::gauge!($($rest)+).set(1) };
}
pub mod __private {
    pub use metrics::{counter, gauge};
}
fn f(queue: &'static str) {
    count!("x_total", "client" => queue);
    count!(target: "a", "x_total", "shard" => "1", "queue" => "b");
    count_in!("requests_total", "user_id" => "1");
    count_in!("requests_total", "method" => "GET");
    record!(counter, "x_total", "host" => "a",);
    record!(gauge, "compozy_x_total", "queue" => "a", "zone" => "b");
    macro_rules! local {
        ($($rest:tt)*) => { counter!("local_total", $($rest)*) };
    }
    local!("region" => "1").increment(1);
    let label = "rack";
    count!("x_total", label => "1");
}
mod inner {
    fn f() {
        crate::record!(counter, "x_total", "pod" => "1");
        count!("x_total", "node" => { count!("y_total", "disk" => "1"); "a" });
    }
}
