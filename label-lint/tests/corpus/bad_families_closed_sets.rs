//! What no closed set may be called, where none may be added, and free text that looks like a set.
compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total" { request_id: Request { First = "1" }, user_id: crate::User };
    /// The specification's.
    pub counter RUNS = "compozy_temporal_runs_total" { region: Region { Europe = "eu" } };
    /// Free text by its path.
    pub gauge OPEN = "compozy_open" { region: compozy_monitoring::Text, plan: str };
}
