macro_rules! named {
    ($n:expr, $l:ident, $v:expr) => {
        metrics::counter!($n, stringify!($l) => $v)
    };
}
macro_rules! declared {
    ($name:ident, $label:ident) => {
        compozy_monitoring::families! {
            /// Things.
            counter $name = "compozy_things_total" { $label: str, queue: str };
        }
    };
}
declared!(THINGS, user_id);
fn f() {
    named!("x_total", queue, 1).increment(1);
    named!("x_total", client, 1).increment(1);
}
