const L: &str = "queue";
mod a { pub const L: &str = "client"; }
fn f() {
    use a::L;
    metrics::counter!("x_total", L => "1").increment(1);
    let label = "shard";
    {
        let label = "queue";
        let _ = label;
    }
    metrics::counter!("x_total", label => "1").increment(1);
    for label in ["queue", "zone"] {
        metrics::counter!("x_total", label => "1").increment(1);
    }
    const LOCAL: &str = "rack";
    let send = || metrics::counter!("x_total", LOCAL => "1").increment(1);
}
impl Thing {
    const KEY: &'static str = "host";
    fn f(&self) {
        metrics::counter!("x_total", Self::KEY => "1").increment(1);
    }
}
struct Thing;
