pub const RAW: &str = "user_id";
