compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total" { queue: str };
}
fn f(user_id: &str, queue: &str) {
    ITEMS.with(user_id).increment(1);
    ITEMS.with(queue).increment(1);
    OTHER.with(user_id);
}
