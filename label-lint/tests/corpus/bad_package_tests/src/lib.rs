pub const CLIENT: &str = "client";
