//! What the middleware adds to a request, with an allocator of size classes: the number that is ours alone. The
//! allocator of glibc adds or takes away more than the middleware costs, whenever a future crosses one of its bins.

use std::process::ExitCode;

use compozy_monitoring_benches::allocations::Counting;
use mimalloc::MiMalloc;

#[path = "shared/http.rs"]
mod rows;

#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting(MiMalloc);

fn main() -> ExitCode {
    compozy_monitoring_benches::run(|round| rows::all(round, rows::Allocator::SizeClasses))
}
