mod a { pub use metrics::counter as bump; pub type Tag = metrics::Label; pub use metrics as m; }
mod b { pub use crate::a::bump as tick; pub type Mark = crate::a::Tag; pub use crate::a::m as n; }
mod c {
    use crate::b::{Mark, n as o, tick as tock};
    type Last = Mark;
    fn f() {
        tock!("x_total", "client" => "1").increment(1);
        let _ = Last::new("shard", "1");
        o::gauge!("x", "host" => "1").set(1);
        use o::histogram as h;
        h!("x", "zone" => "1").record(1.0);
    }
}
