mod prelude {
    pub use metrics::{Label as Tag, counter as bump};
}
mod work {
    use crate::prelude::*;
    fn f() {
        bump!("requests_total", "client" => "a").increment(1);
        let _ = Tag::new("shard", "b");
    }
}
