use compozy_monitoring::{counter, gauge as level};
fn f() {
    counter!("compozy_jobs_total", "queue" => "q", "tenant" => "t").increment(1);
    level!("compozy_depth", "tenant" => "t").set(1);
}
