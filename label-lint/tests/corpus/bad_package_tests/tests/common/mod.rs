pub const SHARD: &str = "shard";
