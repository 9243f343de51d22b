type Tag = metrics::Label;
fn f() -> Tag {
    Tag::from_static_parts("client", "a")
}
