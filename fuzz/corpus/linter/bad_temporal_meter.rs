use temporalio_common::telemetry::metrics::{CoreMeter, MetricKeyValue, NewAttributes};
fn f(meter: &dyn CoreMeter, workflow_id: &str) {
    let _ = meter.new_attributes(NewAttributes::new(vec![
        MetricKeyValue::new("workflow_type", "w"),
        MetricKeyValue::new("client", "a"),
        temporalio_common::telemetry::metrics::MetricKeyValue::new("queue", workflow_id.to_owned()),
    ]));
}
