macro_rules! munch {
    ([$($done:tt)*]) => { metrics::counter!("x_total" $($done)*) };
    ([$($done:tt)*] $name:ident = $value:expr; $($rest:tt)*) => {
        munch!([$($done)* , stringify!($name) => $value] $($rest)*)
    };
}
fn f() {
    munch!([] queue = 1; method = 2; path = 3; version = 4; task_type = 5; user_id = 6;);
}
