//! A module as a user writes it: instrumented once, compiled unchanged by every combination of features.

use compozy_monitoring::{ClosedLabel, counter, describe_histogram, families, gauge, histogram, metrics};

families! {
    pub list FAMILIES;

    /// Task items processed.
    pub counter TASK_ITEMS_PROCESSED = "compozy_task_items_processed_total";
    /// Time spent on one task.
    pub histogram TASK_DURATION = "compozy_task_duration_seconds" {
        task_type: TaskType { Basic = "basic", Parallel = "parallel" },  // a closed set: declares the enum
        queue: str,                                                      // free text, capped
    };
    /// Tasks that wait,
    /// by priority.
    pub gauge TASKS_WAITING = "compozy_tasks_waiting" { priority: Priority };
}

/// An enum of the application's own.
#[derive(Clone, Copy)]
pub enum Priority {
    High,
    Low,
}

impl ClosedLabel for Priority {
    const VALUES: &'static [&'static str] = &["high", "low"];
    fn index(self) -> usize {
        self as usize
    }
}

/// Everything a module does with metrics. The arguments would be unused without it: no warning may say so.
pub fn work(queue: &str, items: u64, owned: String) {
    describe_histogram!("compozy_lookup_seconds", metrics::Unit::Seconds, "Time of one lookup.");
    TASK_ITEMS_PROCESSED.increment(items);
    TASK_DURATION.with(TaskType::Basic, queue).record(0.012);
    TASK_DURATION.with(TaskType::Parallel, queue).record_many(std::time::Duration::from_millis(20), 2);
    TASKS_WAITING.with(Priority::High).set(3);
    TASKS_WAITING.with(Priority::Low).increment(2.5);
    TASKS_WAITING.with(Priority::Low).decrement(1);

    counter!("compozy_task_items_processed_total").increment(10);
    metrics::counter!("compozy_task_items_processed_total").increment(100);
    metrics::histogram!("compozy_task_duration_seconds", "queue" => "q1", "task_type" => "basic").record(0.5);
    histogram!("compozy_task_duration_seconds", "task_type" => "basic", "queue" => queue.to_owned()).record(0.5);

    counter!("compozy_mails_total", "queue" => owned).increment(1);
    counter!(target: "mail", level: metrics::Level::DEBUG, "compozy_mails_total", "queue" => "literal",).absolute(7);
    let labels = [("queue", "iterated")];
    counter!("compozy_mails_total", &labels).increment(4);
    gauge!(description: "Depth.", unit: metrics::Unit::Count, "compozy_depth").set(items as f64);
    histogram!("compozy_lookup_seconds", "queue" => queue.to_owned()).record(0.3);
    const NAME: &str = "compozy_named_total";
    counter!(NAME, "queue" => "literal").increment(1);
}
