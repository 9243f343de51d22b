use metrics::Label;
fn f(pairs: &[(String, String)], v: &mut Unknown) {
    v.push(("user_id", "1").into());
    let all: Vec<Label> = pairs.iter().map(Label::from).collect();
    let more: Vec<Label> = pairs.iter().map(|pair| pair.into()).collect();
    let one = Label::from(&pairs[0]);
}
