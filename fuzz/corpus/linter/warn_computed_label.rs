fn f(label: &'static str, map: &Names) {
    metrics::counter!("requests_total", label => "a").increment(1);
    metrics::counter!("requests_total", map.label() => "a").increment(1);
    metrics::counter!("requests_total", other_crate::LABEL => "a").increment(1);
    metrics::Label::new(format!("{label}_x"), "a");
}
