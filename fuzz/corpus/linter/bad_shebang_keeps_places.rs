#!/usr/bin/env run-cargo-script
fn main() { metrics::counter!("requests_total", "client" => "a"); }
