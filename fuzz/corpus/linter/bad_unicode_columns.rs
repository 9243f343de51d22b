fn f() {
    let größe = "ü"; metrics::counter!("requests_total", "größe" => größe).increment(1);
}
