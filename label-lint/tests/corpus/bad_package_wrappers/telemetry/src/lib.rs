#[macro_use]
mod macros;
pub use metrics::{self, counter, gauge};
pub const HOST: &str = "host";
pub mod prelude {
    pub use crate::count as tally;
}
fn own() {
    internal!("x_total", "rack" => "1");
}
