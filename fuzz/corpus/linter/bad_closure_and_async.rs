async fn f() {
    let g = |n: u64| metrics::counter!("requests_total", "client" => "a").increment(n);
    async move { metrics::counter!("requests_total", "shard" => "a").increment(1) }.await;
    const { assert!(true) };
}
