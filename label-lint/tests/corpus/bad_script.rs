#!/usr/bin/env cargo
---cargo
[dependencies]
m = { package = "metrics", version = "0.24" }
---
//! A script.
fn main() {
    m::counter!("x_total", "user_id" => "1").increment(1);
}
