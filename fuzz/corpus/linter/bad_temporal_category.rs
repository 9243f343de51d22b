fn f() {
    metrics::counter!("compozy_temporal_workflow_started_total", "workflow_type" => "w", "method" => "GET").increment(1);
}
