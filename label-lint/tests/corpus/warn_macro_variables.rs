macro_rules! named {
    ($n:expr, $l:ident, $v:expr) => {
        metrics::counter!($n, stringify!($l) => $v)
    };
}
macro_rules! joined {
    ($a:literal, $v:expr) => {
        metrics::counter!(concat!($a, "_total"), concat!("user_", $a) => $v)
    };
}
macro_rules! declared {
    ($name:ident = $metric:literal, $label:ident) => {
        compozy_monitoring::families! {
            /// Things.
            counter $name = "compozy_things_total" { $label: str, queue: str };
        }
    };
}
