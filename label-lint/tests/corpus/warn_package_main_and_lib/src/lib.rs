mod shared;
pub const OK: &str = "task_type";
const L: &str = "user_id";
const ONLY_IN_LIB: &str = "user_id";
mod labels { pub const M: &str = "user_id"; }
