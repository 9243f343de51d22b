use metrics::{Key, Label};
fn f() {
    let _ = [Label::new("client", "a"), Label::from_static_parts("shard", "b"), Label::from(("host", "c"))];
    let _ = Key::from_parts("requests_total", vec![("client", "a")]);
    let _ = Key::from_parts("requests_total", [("queue", "a"), ("shard", "b")].as_slice());
    let _ = Key::from(("requests_total", vec![Label::new("region", "a")]));
}
