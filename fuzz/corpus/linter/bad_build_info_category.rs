fn f() {
    metrics::gauge!("compozy_build_info", "version" => "1", "go_version" => "1.22").set(1);
}
