#[macro_export]
macro_rules! count {
    ($($rest:tt)*) => { $crate::metrics::counter!($($rest)*).increment(1) };
}
macro_rules! internal {
    ($name:literal $($rest:tt)*) => { count!(concat!("compozy_", $name) $($rest)*) };
}
