mod errors {
    pub struct E;
}
pub use errors::*;
use metrics::counter;
fn f() {
    counter!("x_total", "user_id" => "1").increment(1);
    metrics::counter!("x_total", "client" => "1").increment(1);
}
mod outer {
    pub mod error {
        pub enum Kind { A, B }
    }
    pub mod inner {
        use super::error::*;
        use super::error::Kind::*;
        use super::*;
        use crate::outer::error::Kind::*;
        use metrics::{Label, gauge};
        fn f() {
            gauge!("x", "user_id" => "1").set(1);
            let _ = Label::new("client", "a");
            metrics::histogram!("x", "host" => "1").record(1.0);
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    fn t() {
        counter!("x_total", "shard" => "1").increment(1);
    }
}
mod prelude {
    pub use metrics::*;
    pub use crate::outer::error::*;
}
mod user {
    use crate::prelude::*;
    fn f() {
        counter!("x_total", "region" => "1").increment(1);
        let _ = Key::from_parts("x_total", vec![Label::new("zone", "1")]);
    }
}
mod far {
    pub mod a {
        pub mod b {
            pub use metrics as telemetry;
        }
    }
    mod c {
        use crate::far::a::b::*;
        fn f() {
            telemetry::counter!("x_total", "rack" => "1").increment(1);
        }
    }
}
