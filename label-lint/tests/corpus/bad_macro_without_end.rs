macro_rules! forever {
    ($($all:tt)*) => {
        forever!($($all)* $($all)*);
        metrics::counter!("x_total", $($all)*);
    };
}
fn f() {
    forever!("queue" => 1,);
}
