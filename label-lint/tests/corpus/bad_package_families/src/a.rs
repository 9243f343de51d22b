compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total" { queue: str };
}
