struct Label;
impl Label {
    fn new(text: &str, size: u32) -> Self {
        Label
    }
}
fn f() {
    Label::new("user_id", 3);
}
