fn f() {
    tokio::select! {
        _ = work() => { metrics::counter!("requests_total", "client" => "a").increment(1); }
        message = inbox.recv() => { let _ = metrics::Label::new("shard", "b"); }
    }
    lazy_static::lazy_static! {
        static ref C: metrics::Counter = metrics::counter!("requests_total", "client" => "a");
    }
    assert_eq!(1, { metrics::gauge!("depth", "client" => "a").set(1); 1 });
}
