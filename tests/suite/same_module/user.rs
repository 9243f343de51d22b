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
    /// What the system has.
    #[cfg(unix)]
    #[allow(dead_code)]
    gauge OF_UNIX = "compozy_of_the_system";
    /// The same of another system: the name is there once.
    #[cfg(not(unix))]
    gauge OF_ANOTHER = "compozy_of_the_system";
    /// What nobody should use any more.
    #[deprecated(note = "use `TASK_DURATION`")]
    #[doc(hidden)]
    pub histogram OLD_DURATION = "compozy_old_duration_seconds" {
        /// Where it waited.
        queue: str,
        #[derive(PartialOrd)]
        outcome: Outcome {
            /// Well.
            Good = "good",
            #[cfg(not(unix))]
            Strange = "strange",
            #[cfg(unix)]
            #[allow(dead_code)]
            Bad = "bad",
        },
    };
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
    values(&[1, 2, 3]);
    #[allow(deprecated)]
    OLD_DURATION.with(queue, Outcome::Bad).record(1);
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

/// Every kind of number, and what the compiler takes a literal for.
fn values(waiting: &[u8]) {
    let depth = gauge!("compozy_values", "kind" => "sum");
    depth.set(waiting.len());
    depth.increment(1);
    depth.increment(-1);
    depth.increment(0.5);
    depth.increment(1 << 20);
    depth.decrement(1_i64 << 20);
    for value in waiting {
        depth.increment(value);
    }
    depth.increment(1_u8);
    depth.increment(1_u16);
    depth.increment(1_u32);
    depth.increment(1_u64);
    depth.increment(1_u128);
    depth.increment(1_usize);
    depth.increment(1_i8);
    depth.increment(1_i16);
    depth.increment(1_i32);
    depth.increment(1_i64);
    depth.increment(1_i128);
    depth.increment(1_isize);
    depth.increment(1_f32);
    depth.increment(std::num::NonZero::<usize>::MIN);
    depth.increment(std::time::Duration::from_millis(250));
    histogram!("compozy_values_seconds").record(waiting.len());
    // A counter takes `u64`, and whatever becomes one by itself.
    counter!("compozy_values_total").increment(waiting.len().try_into().unwrap_or(u64::MAX));
    counter!("compozy_values_total").increment(5_000_000_000);
    counter!("compozy_values_total").increment(u32::MAX.into());
}
