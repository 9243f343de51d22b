compozy_monitoring::families! {
    pub list TASKS;

    /// Items.
    pub counter ITEMS = "compozy_items_total";
    /// Time.
    pub(crate) histogram TIME = "compozy_time_seconds" {
        task_type: TaskType { Basic = "basic", Parallel = "parallel" },
        queue: str,
    };
    /// Again.
    gauge DEPTH = "compozy_depth" { task_type: crate::tasks::TaskType };
}
