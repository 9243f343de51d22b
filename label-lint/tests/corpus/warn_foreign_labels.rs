use opentelemetry::KeyValue;
use prometheus::{IntCounterVec, Opts, register_int_counter_vec};
use metrics_exporter_prometheus::PrometheusBuilder;
use prometheus_client::encoding::EncodeLabelSet;
const NAMES: &[&str] = &["method", "zone"];
#[derive(Clone, EncodeLabelSet)]
struct Labels {
    method: String,
    user_id: u64,
    r#type: String,
}
fn f(counter: &Counter, span: &Span) {
    register_int_counter_vec!("a_total", "help", &["client", "method"]);
    prometheus::register_gauge_vec!("a", "help", NAMES);
    let _ = IntCounterVec::new(Opts::new("a", "b").const_label("region", "a"), &["shard"]);
    counter.add(1, &[KeyValue::new("host", "a"), KeyValue::new("method", "GET")]);
    span.set_attributes(&[KeyValue::new("anything", "a")]);
    let builder = PrometheusBuilder::new().add_global_label("pod", "a");
}
