const L: &str = "user_id";
const M: &str = "user_id_queue";
const LIST: &[(&str, &str)] = &[("queue", "a"), ("user_id", "b")];
struct Mine;
impl Mine { const L: &'static str = "queue"; }
struct Yours;
impl Yours { const L: &'static str = "user_id"; }
mod unrelated { const L: &str = "user_id"; pub const OTHER: &str = "user_id"; }
mod own {
    use super::unrelated::*;
    const OTHER: &str = "queue";
    fn f() {
        metrics::counter!("x_total", OTHER => "1").increment(1);
    }
}
fn f() {
    const L: &str = "queue";
    metrics::counter!("x_total", L => "1").increment(1);
    metrics::counter!("x_total", Mine::L => "1").increment(1);
    metrics::counter!("x_total", &M[8..] => "1").increment(1);
    metrics::counter!("x_total", &LIST[..1]).increment(1);
    let label = "user_id";
    let label = "queue";
    metrics::counter!("x_total", label => "1").increment(1);
    {
        let label = "task_type";
        metrics::counter!("x_total", label => "1").increment(1);
    }
    fn inner() {
        metrics::counter!("x_total", L => "1").increment(1);
    }
    metrics::counter!("x_total", "queue" => { const L: &str = "task_type"; metrics::gauge!("y", L => "1"); "a" });
}
