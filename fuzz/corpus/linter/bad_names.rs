use compozy_monitoring::{counter, gauge, histogram};
fn f() {
    counter!("compozy_jobs").increment(1);
    counter!("compozy_Jobs_total").increment(1);
    counter!("compozy.jobs.total").increment(1);
    histogram!("compozy_size_bytes").record(1.0);
    gauge!("compozy_depth_total").set(1);
    compozy_monitoring::describe_histogram!("compozy_latency", "Latency");
}
