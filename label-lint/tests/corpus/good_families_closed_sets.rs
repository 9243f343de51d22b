//! A closed set is its own permission, in an application and in a library.
compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total" { region: Region { Europe = "eu" }, r#type: Type { A = "a", }, queue: str };
    /// By a set of another family.
    pub gauge OPEN = "compozy_open" { region: Region, plan: crate::billing::Plan };
    /// A library's.
    pub counter LETTERS = "courier_letters_total" { refusal: Refusal { Heavy = "heavy" } };
    /// One of the specification's labels.
    pub counter CALLS = "compozy_http_calls_total" { status_code: Status { Good = "200" } };
}
