compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total" { queue: str };
}

pub fn f(user_id: &str) {
    super::a::ITEMS.with(user_id).increment(1);
}
