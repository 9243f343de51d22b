#[cfg(unix)]
compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total";
}
#[cfg(not(windows))]
compozy_monitoring::families! {
    /// Items.
    pub counter OTHER = "compozy_items_total";
}
#[cfg(not(unix))]
compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total";
}
