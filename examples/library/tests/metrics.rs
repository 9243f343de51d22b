//! What the library records. Each test has a service of its own, so they run in parallel.

use compozy_monitoring::MonitoringService;
use courier::{FAMILIES, Method, deliver, deliver_later, deliver_parcel};

#[test]
fn letters_are_counted_by_method() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        for address in ["12 High Street", "14 High Street"] {
            deliver(Method::Pigeon, address).unwrap();
        }
    });
    service.snapshot().assert(
        r#"
        courier_letters_delivered_total{method="mail"} 0
        courier_letters_delivered_total{method="pigeon"} 2
        "#,
    );
}

#[test]
fn refusals_are_counted_by_the_librarys_own_label() {
    let service = MonitoringService::for_test();
    service.in_scope(|| deliver_parcel(Method::Pigeon, "12 High Street", 500)).unwrap_err();
    service.snapshot().assert(
        r#"
        courier_letters_refused_total{refusal="no_address"} 0
        courier_letters_refused_total{refusal="too_heavy"} 1
        "#,
    );
}

#[test]
fn only_what_a_step_adds() {
    let service = MonitoringService::for_test();
    service.register(FAMILIES);
    let _ = service.in_scope(|| deliver(Method::Mail, ""));
    let before = service.snapshot();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(service.scope(deliver_later(Method::Mail, "12 High Street"))).unwrap();
    let added = service.snapshot().since(&before);
    assert_eq!(added.to_string(), "courier_letters_delivered_total{method=\"mail\"} 1\n");
    assert_eq!(service.snapshot().total("courier_letters_refused_total"), 1.0);
}

/// Needs `promtool` on the PATH.
#[test]
fn promtool_finds_nothing_in_what_the_library_records() {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    let service = MonitoringService::for_test();
    service.register(FAMILIES);
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(service.render().as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
