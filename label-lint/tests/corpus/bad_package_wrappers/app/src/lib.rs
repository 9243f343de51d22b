use telemetry::{gauge as level, prelude::*};
const ZONE: &str = "zone";
pub fn f() {
    telemetry::count!("x_total", "client" => "1");
    tally!("x_total", ZONE => "1");
    level!("x", "shard" => "1").set(1);
    telemetry::counter!("x_total", telemetry::HOST => "1").increment(1);
}
