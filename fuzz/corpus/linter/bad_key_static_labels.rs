use metrics::{Key, Label};
static LABELS: [Label; 1] = [Label::from_static_parts("client", "a")];
static KEY: Key = Key::from_static_parts("requests_total", &LABELS);
fn f() -> Key {
    Key::from_static_labels("other_total", &LABELS)
}
