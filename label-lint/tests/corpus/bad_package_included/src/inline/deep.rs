pub const L: &str = "rack";
