//! What starts servers, browsers and compilers, or takes long. It is the same in every combination of features that has it, so
//! `scripts/test` runs it in the last one only and leaves it out of the others (`-- --skip once::`).

mod compile_fail;
mod first_day;
mod flood;
mod formats;
mod grpc;
mod hostile;
mod instances;
mod layers;
mod memory;
mod namespace;
mod openapi;
mod price_off;
mod prometheus;
mod skew;
mod stranger;
mod time;
mod view;

#[cfg(all(
    feature = "http-poem",
    feature = "process",
    feature = "prometheus",
    feature = "temporal",
    feature = "tokio-runtime"
))]
mod promql;
#[cfg(all(feature = "http-poem", feature = "prometheus", feature = "temporal"))]
mod temporal_worker;
