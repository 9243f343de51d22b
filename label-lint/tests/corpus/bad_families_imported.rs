use compozy_monitoring::families as declare;
declare! {
    /// Items.
    pub counter ITEMS = "compozy_items_total" { tenant: str };
}
