fn f() {
    let _ = metrics::key_var!("compozy_jobs_total", "client" => "a");
}
