//! A Temporal worker and the HTTP server of its `/metrics`, in one process.
//!
//! ```text
//! temporal server start-dev --headless
//! MONITORING_ENABLED=true cargo run --example worker --features prometheus,http-poem,temporal
//! temporal workflow execute --task-queue compozy --type Greeting --input '"Ada"'
//! curl http://127.0.0.1:8080/metrics
//! ```
//!
//! | workflow type | what it does |
//! |---|---|
//! | `Greeting` | answers with what an activity made of its input, a string |
//! | `Failing` | fails |
//! | `Timer` | sleeps for five seconds; the signal `wake` ends the sleep, a cancellation cancels it |
//! | `Counter` | continues as new as many times as its input says |
//!
//! | variable | meaning |
//! |---|---|
//! | `TEMPORAL_ADDRESS` | the Temporal server; `127.0.0.1:7233` by default |
//! | `COMPOZY_ADDR` | where to serve `/metrics`; `127.0.0.1:8080` by default |
//! | `MONITORING_ENABLED`, `MONITORING_PATH` | as in every binary with compozy-monitoring |

use std::{error::Error, io::IsTerminal, process::ExitCode, time::Duration};

use compozy_monitoring::{Config, MonitoringService, build_info};
use poem::{EndpointExt, Route, Server, get, handler, listener::TcpListener};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

/// The application: it does not know whether anybody is watching.
mod jobs {
    use std::time::Duration;

    use temporalio_sdk::{
        ActivityOptions, ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowResult,
        activities::{ActivityContext, ActivityError, activities},
        error::ApplicationFailure,
        workflows::{select, workflow, workflow_methods},
    };

    compozy_monitoring::families! {
        pub list FAMILIES;

        /// Greetings made by the activity
        pub counter GREETINGS = "compozy_greetings_total";
        /// Times that a timer was woken by a signal
        pub counter TIMERS_WOKEN = "compozy_timers_woken_total";
    }

    pub struct Activities;

    #[activities]
    impl Activities {
        #[activity]
        pub async fn greet(_: ActivityContext, name: String) -> Result<String, ActivityError> {
            GREETINGS.increment(1);
            Ok(format!("Hello, {name}!"))
        }
    }

    #[workflow]
    #[derive(Default)]
    pub struct Greeting;

    #[workflow_methods]
    impl Greeting {
        #[run]
        pub async fn run(ctx: &mut WorkflowContext<Self>, name: String) -> WorkflowResult<String> {
            let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(10));
            Ok(ctx.execute_activity(Activities::greet, name, options).await?)
        }
    }

    #[workflow]
    #[derive(Default)]
    pub struct Failing;

    #[workflow_methods]
    impl Failing {
        #[run]
        pub async fn run(_: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
            Err(ApplicationFailure::new("this workflow always fails").into())
        }
    }

    #[workflow]
    #[derive(Default)]
    pub struct Timer {
        woken: bool,
    }

    #[workflow_methods]
    impl Timer {
        #[run]
        pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
            select! {
                woken = ctx.wait_condition(|timer| timer.woken) => { woken?; Ok("woken".to_owned()) },
                _ = ctx.timer(Duration::from_secs(5)) => Ok("slept".to_owned()),
            }
        }

        #[signal]
        pub fn wake(&mut self, _: &mut SyncWorkflowContext<Self>) {
            // Counted once, however often this workflow is replayed.
            TIMERS_WOKEN.increment(1);
            self.woken = true;
        }
    }

    #[workflow]
    #[derive(Default)]
    pub struct Counter;

    #[workflow_methods]
    impl Counter {
        #[run]
        pub async fn run(ctx: &mut WorkflowContext<Self>, left: u32) -> WorkflowResult<()> {
            if left > 0 {
                ctx.continue_as_new(left - 1, ContinueAsNewOptions::default())?;
            }
            Ok(())
        }
    }
}

#[handler]
fn health() -> &'static str {
    "ok\n"
}

/// Connects, however long it takes until there is a server.
async fn connect() -> Result<Client, Box<dyn Error>> {
    let address = std::env::var("TEMPORAL_ADDRESS").unwrap_or_else(|_| "127.0.0.1:7233".to_owned());
    let target = temporalio_client::Url::parse(&format!("http://{address}"))
        .map_err(|problem| format!("TEMPORAL_ADDRESS: `{address}` is not `host:port` ({problem})"))?;
    loop {
        let options = ConnectionOptions::new(target.clone()).connect_timeout(Duration::from_secs(5)).build();
        match Connection::connect(options).await {
            Ok(connection) => return Ok(Client::new(connection, ClientOptions::new("default").build())?),
            Err(problem) => warn!(
                %problem,
                "No Temporal server at {address} (TEMPORAL_ADDRESS); trying again in two seconds. \
                 `temporal server start-dev --headless` starts one"
            ),
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn work(service: &MonitoringService) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::from_current_tokio(service.temporal_runtime_options())?;
    let mut options = WorkerOptions::new("compozy").build();
    options.register_activities(jobs::Activities);
    options.register_workflow::<jobs::Greeting>()?;
    options.register_workflow::<jobs::Failing>()?;
    options.register_workflow::<jobs::Timer>()?;
    options.register_workflow::<jobs::Counter>()?;
    service.instrument_worker(&mut options);

    service.set_workers_configured(1);
    let mut worker = Worker::new(&runtime, connect().await?, options)?;
    let _running = service.track_worker();
    let shut_down = worker.shutdown_handle();
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        shut_down();
    });
    info!("Worker started on task queue compozy");
    worker.run().await?;
    info!("Worker stopped");
    Ok(())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let service = MonitoringService::new(Config::from_env()?)?;
    build_info!(service);
    service.register(jobs::FAMILIES);

    let app = Route::new().at("/health", get(health));
    #[cfg(feature = "view")]
    let app = app.at("/", service.view_endpoint());
    #[cfg(not(feature = "view"))]
    let app = app.at("/", poem::endpoint::make_sync(|_| "GET /health, /metrics\n"));
    let app = service.metrics_endpoint().mount(app)?.with(service.http_middleware());
    let address = std::env::var("COMPOZY_ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let server = Server::new(TcpListener::bind(&address)).run(app);
    match service.off_reason() {
        None => info!("Metrics are at http://{address}{}", service.path()),
        Some(reason) => info!("No metrics: {reason}"),
    }
    tokio::select! {
        served = server => served?,
        worked = work(&service) => worked?,
    }
    service.shutdown();
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem}");
            ExitCode::FAILURE
        }
    }
}
