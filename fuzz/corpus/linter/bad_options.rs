use metrics::{Level, Unit, counter};
fn f() {
    counter!(target: "t", level: Level::DEBUG, description: "d", unit: Unit::Count, "requests_total", "client" => "a",).increment(1);
}
