pub use m::counter as bump;
pub const CLIENT: &str = "client";
