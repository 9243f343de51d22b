compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items" { user_id: str };
    /// Time.
    pub histogram TIME = "compozy_time_ms" { le: str, queue: str, queue: str };
    /// Requests.
    pub counter HTTP = "compozy_http_calls_total" { queue: str, r#path: str };
}
