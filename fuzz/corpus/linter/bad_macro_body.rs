macro_rules! bump {
    ($name:literal, $value:expr) => {
        metrics::counter!($name, "client" => $value).increment(1)
    };
    ($($key:literal => $value:expr),*) => {
        metrics::counter!("requests_total", "queue" => "a" $(, $key => $value)*).increment(1)
    };
}
