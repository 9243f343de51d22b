use compozy_monitoring::{counter, gauge, histogram};
fn f() {
    counter!("compozy_jobs_total").increment(1);
    histogram!("compozy_wait_seconds").record(1.0);
    gauge!("compozy_temporal_workers_running_total").set(1);
    gauge!("compozy_temporal_workers_configured_total").set(1);
    metrics::counter!("foreign.requests").increment(1);
    metrics::histogram!("compozyx_size").record(1.0);
}
