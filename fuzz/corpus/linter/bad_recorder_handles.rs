use metrics::{Key, Recorder};
fn f(service: &compozy_monitoring::MonitoringService) {
    let key = Key::from_parts("compozy_jobs", vec![("client", "a")]);
    service.recorder().register_counter(&key, &META);
    service.http_middleware().skip("/users/:user_id");
}
