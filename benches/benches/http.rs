//! What the middleware adds to a request, with the system's allocator. `http_mimalloc` is the same with another.

use std::{alloc::System, process::ExitCode};

use compozy_monitoring_benches::allocations::Counting;

#[path = "shared/http.rs"]
mod rows;

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

fn main() -> ExitCode {
    compozy_monitoring_benches::run(|round| rows::all(round, rows::Allocator::System))
}
