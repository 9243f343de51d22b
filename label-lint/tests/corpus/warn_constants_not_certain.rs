mod a { pub const NAME: &str = "user_id"; }
mod b { mod private { pub const HIDDEN: &str = "user_id"; } }
mod twins {
    #[cfg(unix)]
    pub const L: &str = "user_id";
    #[cfg(not(unix))]
    pub const L: &str = "queue";
}
trait Named {
    const LABEL: &'static str = "user_id";
    fn f() {
        metrics::counter!("x_total", Self::LABEL => "1").increment(1);
    }
}
struct Named2;
impl Named for Named2 { const LABEL: &'static str = "queue"; }
use some::everything::*;
fn f<T: Named>(given: &'static str) {
    metrics::counter!("x_total", NAME => "1").increment(1);
    metrics::counter!("x_total", HIDDEN => "1").increment(1);
    metrics::counter!("x_total", twins::L => "1").increment(1);
    metrics::counter!("x_total", T::LABEL => "1").increment(1);
    let label = given;
    {
        let label = "user_id";
    }
    metrics::counter!("x_total", label => "1").increment(1);
    let first = label;
    let label = "user_id";
    metrics::counter!("x_total", first => "1").increment(1);
    let chosen = match given { label => label };
    metrics::counter!("x_total", chosen => "1").increment(1);
    for label in given.split(',') {
        metrics::counter!("x_total", label => "1").increment(1);
    }
    if let Some(label) = other() {
        metrics::counter!("x_total", label => "1").increment(1);
    }
    let with = |label: &'static str| metrics::counter!("x_total", label => "1").increment(1);
    tokio::select! {
        label = next() => { metrics::counter!("x_total", label => "1").increment(1); }
    }
}
mod generated {
    const OUTER: &str = "user_id";
    mod inner {
        use super::*;
        other::define! { pub const OUTER = "queue" }
        fn f() {
            metrics::counter!("x_total", OUTER => "1").increment(1);
        }
    }
}
mod changed {
    static mut NAME: &str = "user_id";
    fn f(given: &'static str) {
        metrics::counter!("x_total", NAME => "1").increment(1);
        let label = "user_id";
        let_assert!(Some(label) = other(given));
        metrics::counter!("x_total", label => "1").increment(1);
        let mut label = "user_id";
        label = given;
        metrics::counter!("x_total", label => "1").increment(1);
    }
}
