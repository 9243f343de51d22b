pub const Q: &str = "task_type";
