use metrics::Key;
fn f() {
    let _ = Key::from_name("compozy.Jobs");
    let _ = Key::from_static_name("compozy__jobs");
    let _ = Key::from("other.jobs");
}
