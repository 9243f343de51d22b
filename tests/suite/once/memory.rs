//! Memory stays flat while nobody scrapes, without an async runtime. (Known fault 1.)
//! One test in its own process, because it looks at the memory of the whole process.
#![cfg(feature = "prometheus")]

use compozy_monitoring::{Config, MonitoringService, histogram, metrics};

use crate::common::{figure, grouped, resident, size};

compozy_monitoring::families! {
    /// Declared.
    histogram DECLARED = "compozy_memory_seconds" { queue: str };
}

#[test]
fn memory_is_flat_over_millions_of_samples_without_a_scrape() {
    own_process!();
    let service = MonitoringService::new(Config::default().enabled(true)).expect("valid");
    let foreign = |value: f64| {
        metrics::histogram!("foreign_latency").record(value);
        histogram!("foreign_latency_seconds").record(value);
    };
    foreign(0.5);
    DECLARED.with("q").record(0.5);
    let before = resident();

    // Declared families queue nothing.
    let declared_samples = size(1_000_000, 100_000_000_u32);
    for i in 0..declared_samples {
        DECLARED.with("q").record(f64::from(i % 100) / 10.0);
    }
    let declared = resident().saturating_sub(before);
    assert!(declared < 4 << 20, "{declared} bytes for declared samples");
    figure("samples of a declared family without a scrape", grouped(declared_samples.into()));
    figure("KiB that they left", declared >> 10);

    // Foreign ones would in the exporter, until an upkeep comes by: 24 bytes each, 48 MB and more. Here there is neither a queue
    // nor an upkeep.
    let samples = size(2_000_000, 7_500_000_u32);
    for i in 0..samples / 2 {
        foreign(f64::from(i % 100) / 10.0);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 36 << 20, "{grown} bytes for {samples} samples");

    let text = service.render();
    let count = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("_count "));
        line.and_then(|count| count.parse::<u32>().ok())
    };
    assert_eq!(count("foreign_latency_seconds"), Some(samples / 2 + 1), "no sample was lost");
    assert_eq!(count("foreign_latency"), Some(samples / 2 + 1), "no sample was lost");
    assert!(text.contains(&format!("compozy_memory_seconds_count{{queue=\"q\"}} {}", declared_samples + 1)));
    figure("samples of foreign histograms without a scrape", grouped(samples.into()));
    figure("KiB in all", grown >> 10);
}
