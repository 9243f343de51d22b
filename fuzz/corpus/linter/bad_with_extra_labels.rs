fn f(key: metrics::Key) -> metrics::Key {
    key.with_extra_labels(vec![metrics::Label::new("client", "a"), ("shard", "b").into()])
}
