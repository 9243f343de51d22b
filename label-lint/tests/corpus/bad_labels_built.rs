use metrics::{IntoLabels, Key, Label, SharedString};
struct Holder { labels: Vec<Label> }
impl Holder {
    fn add(&mut self) {
        self.labels.push(("client", "1").into());
    }
}
const PAIRS: &[(&str, &str)] = &[("shard", "a")];
fn typed() -> Vec<Label> {
    vec![("host", "a").into()]
}
fn key() {
    let mut v: Vec<Label> = Vec::new();
    v.push(("user_id", "1").into());
    v.extend([("zone", "1")].iter().map(Label::from));
    let collected: Vec<Label> = PAIRS.iter().map(Into::into).collect();
    let pair = ("rack", "1");
    let one = Label::from(&pair);
    let two = <Label>::new("pod", "1");
    let three = <metrics::Label>::from(("node", "1"));
    let labels = (&[("disk", "1")]).into_labels();
    let key: Key = ("x_total", vec![("region", "1")]).into();
    let inner: Label = ("cluster", "1").into();
}
