pub const L: &str = "host";
