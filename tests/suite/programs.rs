//! Programs as a user writes them, from the README alone: what they record is what they show. The fourth, a library with a closed
//! label of its own, is `examples/library`, which `once/stranger.rs` builds for a stranger.
#![cfg(feature = "prometheus")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use compozy_monitoring::MonitoringService;

/// An HTTP service with sizes and tokens.
mod completions {
    compozy_monitoring::families! {
        /// Size of a prompt
        pub histogram PROMPT_SIZE = "shop_prompt_bytes";
        /// Tokens of a completion
        pub histogram COMPLETION_TOKENS = "shop_completion_tokens" buckets [16, 64, 256, 1024, 4096] {
            model: Model { Small = "small", Large = "large" },
        };
        /// Completions, by what became of them
        pub counter COMPLETIONS = "shop_completions_total" { outcome: Outcome { Done = "done", Refused = "refused" } };
        /// Time of a completion
        pub histogram COMPLETION_DURATION = "shop_completion_seconds" { model: Model };
    }

    pub async fn complete(model: Model, prompt: &str) -> Result<usize, &'static str> {
        PROMPT_SIZE.record(prompt.len());
        let result = COMPLETION_DURATION.with(model).time(ask(prompt)).await;
        COMPLETIONS.with(if result.is_ok() { Outcome::Done } else { Outcome::Refused }).increment(1);
        COMPLETION_TOKENS.with(model).record(result?);
        result
    }

    async fn ask(prompt: &str) -> Result<usize, &'static str> {
        if prompt.is_empty() { Err("nothing to complete") } else { Ok(300) }
    }
}

#[test]
fn an_http_service_with_sizes_and_tokens() {
    use completions::{Model, complete};

    let service = MonitoringService::for_test();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(service.scope(async {
        complete(Model::Large, &"x".repeat(5_000)).await.unwrap();
        complete(Model::Small, "").await.unwrap_err();
    }));
    let snapshot = service.snapshot();
    let value = |name: &str, labels: &[(&str, &str)]| snapshot.value(name, labels).unwrap();
    assert_eq!(value("shop_prompt_bytes_bucket", &[("le", "10000")]), 2.0);
    assert_eq!(value("shop_prompt_bytes_bucket", &[("le", "1000")]), 1.0);
    assert_eq!(value("shop_completion_tokens_bucket", &[("le", "1024"), ("model", "large")]), 1.0);
    assert_eq!(value("shop_completion_tokens_bucket", &[("le", "256"), ("model", "large")]), 0.0);
    assert_eq!(value("shop_completions_total", &[("outcome", "refused")]), 1.0);
    assert_eq!(value("shop_completion_seconds_count", &[("model", "small")]), 1.0);
}

/// A worker with jobs of hours.
mod jobs {
    use std::time::Duration;

    compozy_monitoring::families! {
        /// Time of a job
        pub(crate) histogram JOB_DURATION = "plant_job_seconds" buckets [60, 600, 3_600, 14_400, 86_400] { kind: Kind { Export = "export" } };
        /// Jobs that run
        pub(crate) gauge JOBS_RUNNING = "plant_jobs_running";
    }

    compozy_monitoring::families! {
        /// Jobs that were found
        #[cfg(unix)]
        #[allow(dead_code)]
        pub(super) counter JOBS_FOUND = "plant_jobs_found_total";
    }

    pub(crate) fn run(took: Duration) {
        let _running = JOBS_RUNNING.track();
        JOB_DURATION.with(Kind::Export).record(took);
    }

    /// A call site in a generic function.
    pub(crate) fn found<T: IntoIterator>(jobs: T) {
        jobs.into_iter().for_each(|_| JOBS_FOUND.increment(1));
    }
}

#[test]
fn a_worker_with_jobs_of_hours() {
    let service = MonitoringService::for_test();
    service.in_scope(|| {
        jobs::found(["a", "b"]);
        jobs::run(Duration::from_secs(2 * 3_600));
    });
    let snapshot = service.snapshot();
    let bucket = |le: &str| snapshot.value("plant_job_seconds_bucket", &[("kind", "export"), ("le", le)]);
    assert_eq!((bucket("3600"), bucket("14400"), bucket("+Inf")), (Some(0.0), Some(1.0), Some(1.0)));
    assert_eq!(snapshot.value("plant_jobs_running", &[]), Some(0.0));
    assert_eq!(snapshot.total("plant_jobs_found_total"), 2.0);
}

/// A pool that is observed.
#[test]
fn a_pool_that_is_observed() {
    compozy_monitoring::families! {
        /// Connections of the pool, by what they do
        gauge POOL_CONNECTIONS = "depot_pool_connections" { state: State { Idle = "idle", Busy = "busy" } };
    }
    #[derive(Default)]
    struct Pool(Mutex<(usize, usize)>);

    let service = MonitoringService::for_test();
    let pool = Arc::new(Pool::default());
    let (idle, busy) = (pool.clone(), pool.clone());
    let _guards = (
        service.observe(POOL_CONNECTIONS.with(State::Idle), move || idle.0.lock().unwrap().0),
        service.observe(POOL_CONNECTIONS.with(State::Busy), move || busy.0.lock().unwrap().1),
    );
    for (idle, busy) in [(4, 0), (1, 3)] {
        *pool.0.lock().unwrap() = (idle, busy);
        service.snapshot().assert(&format!(
            "depot_pool_connections{{state=\"busy\"}} {busy}\ndepot_pool_connections{{state=\"idle\"}} {idle}"
        ));
    }
}
