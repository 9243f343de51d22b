pub mod deep;
pub struct Keys;
impl Keys {
    pub const SHARD: &str = "shard";
}
