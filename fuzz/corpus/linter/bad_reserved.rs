fn f() {
    metrics::histogram!("compozy_wait_seconds", "le" => "1", "quantile" => "0.5", "__name__" => "x").record(1.0);
}
