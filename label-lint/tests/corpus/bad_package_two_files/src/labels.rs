pub const CLIENT: &str = "client";
pub const QUEUE: &str = "queue";
pub const FULL: &str = concat!("compozy_", "jobs_total");
pub const PAIRS: &[(&str, &str)] = &[("shard", "a"), (CLIENT, "b")];
