//! One user module, every combination of features: it compiles without a warning and, where there is a recorder, records
//! through this crate's macros, its families and the macros of `metrics` into the same series.
#![deny(warnings)]

mod user;

use compozy_monitoring::MonitoringService;

#[test]
fn one_module_compiles_in_every_build_and_records_where_there_is_a_recorder() {
    let service = MonitoringService::for_test();
    service.register(user::FAMILIES);
    service.register((&user::TASK_ITEMS_PROCESSED, &user::TASK_DURATION, &user::TASKS_WAITING));
    service.in_scope(|| user::work("q1", 1, "owned".to_owned()));
    let text = service.render();
    assert_eq!(service.is_enabled(), cfg!(feature = "prometheus"));
    if !cfg!(feature = "prometheus") {
        assert_eq!(text, "");
        return;
    }
    for line in [
        "# HELP compozy_task_items_processed_total Task items processed.",
        "compozy_task_items_processed_total 111",
        r#"compozy_task_duration_seconds_count{queue="q1",task_type="basic"} 3"#,
        r#"compozy_task_duration_seconds_bucket{queue="q1",task_type="basic",le="0.025"} 1"#,
        r#"compozy_task_duration_seconds_count{queue="q1",task_type="parallel"} 2"#,
        r#"compozy_task_duration_seconds_sum{queue="q1",task_type="parallel"} 0.04"#,
        "# HELP compozy_tasks_waiting Tasks that wait, by priority.",
        r#"compozy_tasks_waiting{priority="high"} 3"#,
        r#"compozy_tasks_waiting{priority="low"} 1.5"#,
        r#"compozy_mails_total{queue="owned"} 1"#,
        r#"compozy_mails_total{queue="literal"} 7"#,
        r#"compozy_mails_total{queue="iterated"} 4"#,
        "# HELP compozy_depth Depth.",
        "compozy_depth 1",
        "# HELP compozy_lookup_seconds Time of one lookup.",
        r#"compozy_lookup_seconds_bucket{queue="q1",le="0.5"} 1"#,
        r#"compozy_named_total{queue="literal"} 1"#,
        "# HELP compozy_of_the_system What the system has.",
        "compozy_of_the_system 0",
        r#"compozy_old_duration_seconds_count{outcome="bad",queue="q1"} 1"#,
        // Of `values`: 3 + 1 - 1 + 0.5 + 6 + 13 + 1 + 0.25.
        r#"compozy_values{kind="sum"} 23.75"#,
        "compozy_values_seconds_sum 3",
        "compozy_values_total 9294967298",
        "compozy_monitoring_errors_total 0",
        "compozy_monitoring_rejected_labels_total 0",
    ] {
        assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
    }
}
