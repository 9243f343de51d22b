use metrics::Label;
fn f(pairs: &[(String, String)], v: &mut Unknown) {
    v.push(("user_id", "1").into());
    let all: Vec<Label> = pairs.iter().map(Label::from).collect();
    let more: Vec<Label> = pairs.iter().map(|pair| pair.into()).collect();
    let one = Label::from(&pairs[0]);
}
struct Holder { label: Label }
fn g() {
    let make = Label::new;
    let _ = make("user_id", "1");
    takes(("client", "1").into());
    let held = Holder { label: ("shard", "1").into() };
    takes(("queue", "1").into());
}
