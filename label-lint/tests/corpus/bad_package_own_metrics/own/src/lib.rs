pub use inner as __inner;
pub struct Label;
impl Label {
    pub fn new(_: &str, _: &str) -> Self { Label }
}
#[macro_export]
macro_rules! counter {
    ($($any:tt)*) => {};
}
#[macro_export]
macro_rules! forward {
    ($($any:tt)*) => { $crate::__inner::counter!($($any)*) };
}
