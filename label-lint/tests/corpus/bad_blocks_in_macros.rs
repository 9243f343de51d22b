use metrics::Key;
const L: &str = "zone";
fn f() {
    let label = "queue";
    cfg_if::cfg_if! {
        if #[cfg(feature = "a")] {
            use metrics::Label;
            const L: &str = "shard";
            let label = "rack";
            let _ = Label::new("user_id", "x");
            metrics::counter!("x_total", L => "1", label => "2").increment(1);
        } else if #[cfg(feature = "b")] {
            let _ = Key::from_parts("x", vec![metrics::Label::new("client", "x")]);
            metrics::counter!("x_total", L => "1").increment(1);
        }
    }
}
macro_rules! wrapped {
    ($v:expr) => {{
        const HOST: &str = "host";
        metrics::counter!("x_total", HOST => $v).increment(1)
    }};
}
