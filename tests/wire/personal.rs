//! No personal data: a request through every outcome, with everything that a client can tell of somebody.

use compozy_monitoring::metrics;

use super::*;
use crate::{
    chaos::ANSWERED,
    common::{figure, size},
};

/// Hands what the client sent to labels that no compiler sees, and to a closed set.
#[handler]
pub fn mislabels(Path(id): Path<String>) -> String {
    metrics::counter!("compozy_wire_mislabelled_total", "user_id" => id.clone()).increment(1);
    metrics::counter!("compozy_http_requests_total", "method" => id.clone(), "path" => "/x", "status_code" => "1")
        .increment(0);
    metrics::gauge!("compozy_http_requests_in_flight", "email" => id.clone()).increment(0.0);
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_personal_is_rendered_or_logged_whatever_becomes_of_a_request() {
    quiet_panics();
    let server = serve().await;
    let rounds = size(3, 500);
    let mut sent = 0_u64;
    for _ in 0..rounds {
        let mut client = Http1::to(server.address).await;
        let client2 = http2(server.address).await;
        for (method, path, _, _, status) in ANSWERED {
            client.send(method, path).await;
            let answered = if method == "HEAD" { client.head().await } else { client.answer().await.map(|(s, _)| s) };
            assert_eq!(answered, Some(status));
            assert_eq!(ask2(&client2, method, path).await, Some(status));
            sent += 2;
        }
        // Values that reach labels which may not be, or sets that do not have them.
        let mislabelled = "/mislabels/ada.lovelace@example.org";
        assert_eq!(ask2(&client2, "GET", mislabelled).await, Some(200));
        // A method that is somebody, a drop, a timeout, a panic, a client that leaves.
        assert_eq!(ask2(&client2, "USER-4F9D2C71", "/ok").await, Some(405));
        assert_eq!(ask2(&client2, "GET", "/waits?mail=ada.lovelace@example.org").await, Some(504));
        assert_eq!(ask2(&client2, "GET", "/timed?mail=ada.lovelace@example.org").await, Some(504));
        three_without_an_answer(&mut client, &client2).await;
        let mut client = Http1::to(server.address).await;
        client.send("GET", "/stream/10000?sid=sid-55aa").await;
        let mut some = [0; 512];
        client.0.read_exact(&mut some).await.expect("the head and more");
        sent += 8;
    }
    server.settle().await;
    let text = server.service.render();
    let total: u64 = counted(&text).values().sum();
    assert_eq!(total, sent);
    nothing_personal("the exposition", &text);
    assert!(!text.contains("USER-4F"), "a method that a client made up");
    // What was to be said was said, so the log is the right one.
    let log = log::text();
    for line in ["Metrics endpoint registered", "Label dropped", "user_id"] {
        assert!(log.contains(line), "no `{line}` in\n{log}");
    }
    nothing_personal("the log", &log);
    figure("requests", sent);
    figure("log lines looked at", log.lines().count());
    figure("personal texts found", 0);
}
