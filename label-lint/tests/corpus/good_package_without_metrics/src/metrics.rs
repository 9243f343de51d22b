#[macro_export]
macro_rules! counter {
    ($($any:tt)*) => {};
}

pub struct Label;

impl Label {
    pub fn new(_: &str, _: &str) {}
}
