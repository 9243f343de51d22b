mod a {
    pub use super::b::*;
    pub use self::inner::*;
    pub mod inner {
        pub use super::*;
        pub use crate::a::inner::*;
    }
}
mod b {
    pub use super::a::*;
}
use a::*;
fn f() {
    Label::new("user_id", "1");
}
