//! The system clock, set forward and back while a server runs, changes nothing.
//!
//! The long form needs Debian's `faketime`: `scripts/reliability` installs it.
#![cfg(all(feature = "prometheus", feature = "http-poem"))]

use crate::common;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use common::{
    figure, is_long,
    processes::{Folder, Process, example, free_port, get, until},
    size, sum, value,
};

/// The sources below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The wall clock is read where others date by it: Temporal's server says by its own when a run started, and there is no other to
/// hold against it; a difference below zero is none. And a series says since when it counts, which is compared with nothing here.
#[test]
fn only_what_a_temporal_server_dates_is_held_against_the_wall_clock() {
    const WALL: [&str; 5] = ["SystemTime", "UNIX_EPOCH", "Utc::now", "Local::now", "OffsetDateTime"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all = sources(&root);
    let reads: Vec<&Path> = all
        .iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).expect("a source");
            WALL.iter().any(|word| text.contains(word))
        })
        .map(|path| path.strip_prefix(&root).expect("below"))
        .collect();
    assert!(all.len() > 20, "the sources are here");
    // `process.rs` holds the kernel's date of the process's start against it, in its own test.
    let may = |path: &&Path| {
        path.starts_with("temporal") || path.ends_with("process.rs") || path.ends_with("storage/series.rs")
    };
    assert!(reads.iter().all(may), "{reads:?}");
}

/// What may never go back, from one scrape to the next.
const MONOTONIC: [&str; 4] = [
    "compozy_uptime_seconds_total",
    "compozy_http_request_duration_seconds_sum",
    "compozy_http_request_duration_seconds_count",
    "compozy_http_requests_total",
];

#[test]
fn a_system_clock_that_jumps_changes_neither_uptime_nor_durations() {
    let folder = Folder::new("time");
    let (clock, log) = (folder.0.join("clock"), folder.0.join("log"));
    let set = |offset: &str| std::fs::write(&clock, offset).expect("written");
    set("+1825d");
    let port = free_port();
    let mut command = Command::new(example());
    command
        .env("COMPOZY_ADDR", format!("127.0.0.1:{port}"))
        .env("MONITORING_ENABLED", "true")
        .env_remove("MONITORING_PATH")
        .stderr(Stdio::from(std::fs::File::create(&log).expect("a log")));
    if is_long() {
        // CLOCK_REALTIME only: the monotonic clock is what is to be read. Without a cache, the file holds at once.
        let libraries = std::fs::read_dir("/usr/lib").expect("Debian").filter_map(Result::ok);
        let library =
            libraries.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
        command
            .env("LD_PRELOAD", library.expect("faketime is installed: scripts/reliability does so"))
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    let start = Instant::now();
    let mut server = Process(command.spawn().expect("the example starts"));
    until("the example answers", || get(port, "/health").map(|(status, _)| status == 200).unwrap_or(false));

    let mut last = [0.0; MONOTONIC.len()];
    let jumps = size(4, 20_u32);
    let mut requests = 0;
    for jump in 0..jumps {
        // Twenty years back, and forward again; in the middle of a stream, too.
        let stream = std::thread::spawn(move || get(port, "/api/v1/events").expect("a stream").0);
        for i in 0..20 {
            if i == 10 {
                set(if jump % 2 == 0 { "-5475d" } else { "+1825d" });
            }
            assert_eq!(get(port, "/api/v1/users/7").expect("an answer").0, 200);
            let text = get(port, "/metrics").expect("metrics").1;
            let now = MONOTONIC.map(|name| sum(&text, name));
            for (name, (now, last)) in MONOTONIC.iter().zip(now.iter().zip(last)) {
                assert!(*now >= last, "{name}: {now} after {last}");
            }
            last = now;
            requests += 1;
        }
        assert_eq!(stream.join().expect("no panic"), 200);
    }
    let text = get(port, "/metrics").expect("metrics").1;
    let real = start.elapsed();
    let uptime = value(&text, "compozy_uptime_seconds_total");
    assert!(uptime <= real.as_secs_f64() && uptime + 60.0 > real.as_secs_f64(), "{uptime} s of {real:?}");
    // Two connections at a time at the most: durations cannot be longer than that.
    let busy = sum(&text, "compozy_http_request_duration_seconds_sum");
    assert!((0.0..2.0 * real.as_secs_f64()).contains(&busy), "{busy} s of {real:?}");
    assert_eq!(
        value(&text, r#"compozy_http_request_duration_seconds_count{method="GET",path="/api/v1/users/:id"}"#),
        f64::from(requests)
    );
    assert_eq!(value(&text, "compozy_monitoring_health"), 1.0);

    set("-5475d");
    let id = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    assert_eq!(server.0.wait().expect("it ends").code(), Some(0));
    if is_long() {
        // The process saw the clock that was set: its log says so.
        let log = std::fs::read_to_string(&log).expect("a log");
        let years: Vec<i32> = log.lines().filter_map(|line| line.get(..4)?.parse().ok()).collect();
        let (first, last) = (years.first().expect("a line"), years.last().expect("a line"));
        assert!(first - last >= 19, "{log}");
        figure("jumps of the system clock by 20 years", jumps);
        figure("requests over them", requests);
        figure("uptime and real time in s", format!("{uptime} {:.1}", real.as_secs_f64()));
    }
}
