//! A small Compozy-like API with one `/metrics`, on its own server.
//!
//! ```text
//! MONITORING_ENABLED=true cargo run --example server --features prometheus,http-poem,view
//! curl http://127.0.0.1:8080/api/v1/users/7; curl http://127.0.0.1:8080/metrics
//! ```
//!
//! With the feature `view` it serves the page for people at `/`, with `openapi` Swagger UI at `/docs`.
//!
//! | variable | meaning |
//! |---|---|
//! | `COMPOZY_ADDR` | where to listen; `127.0.0.1:8080` by default |
//! | `COMPOZY_CONFIG` | a project file whose `monitoring:` section is read first (feature `project-file`) |
//! | `MONITORING_ENABLED`, `MONITORING_PATH` | win over the file |

use std::{error::Error, io::IsTerminal, process::ExitCode, time::Duration};

use compozy_monitoring::{Config, MonitoringService, build_info};
use poem::{
    EndpointExt, IntoResponse, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::TcpListener,
    web::{
        Path,
        sse::{Event, SSE},
    },
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

/// A module of the application, instrumented once: it does not know whether anybody is watching.
mod tasks {
    compozy_monitoring::families! {
        pub list FAMILIES;

        /// Task items processed
        pub counter TASK_ITEMS_PROCESSED = "compozy_task_items_processed_total";
        /// Time spent on one task
        pub histogram TASK_DURATION = "compozy_task_duration_seconds" {
            task_type: TaskType { Basic = "basic", Parallel = "parallel" },
        };
    }

    /// Works through the items of a workflow.
    pub fn process(items: u64) {
        let started = std::time::Instant::now();
        TASK_ITEMS_PROCESSED.increment(items);
        let task_type = if items > 1 { TaskType::Parallel } else { TaskType::Basic };
        TASK_DURATION.with(task_type).record(started.elapsed());
    }
}

/// A part of the API that is documented by poem-openapi (feature `openapi`).
#[cfg(feature = "openapi")]
mod greetings {
    use poem_openapi::{OpenApi, OpenApiService, param::Path, payload::PlainText};

    pub struct Greetings;

    #[OpenApi]
    impl Greetings {
        /// Greets somebody
        #[oai(path = "/greetings/:name", method = "get")]
        async fn greet(&self, name: Path<String>) -> PlainText<String> {
            PlainText(format!("Hello, {}!\n", name.0))
        }
    }

    pub fn api() -> OpenApiService<Greetings, ()> {
        OpenApiService::new(Greetings, "Compozy", "0.1.0").server("/api/v1")
    }
}

#[handler]
fn user(Path(id): Path<u64>) -> String {
    format!("{{\"id\":{id}}}\n")
}

#[handler]
fn list_workflows() -> &'static str {
    "[]\n"
}

#[handler]
fn start_workflow() -> Response {
    tasks::process(3);
    (StatusCode::ACCEPTED, "{\"status\":\"started\"}\n").into_response()
}

/// Five events, one every 200 ms: the duration ends at the head, in-flight at the end of the stream.
#[handler]
fn events() -> SSE {
    SSE::new(futures_util::stream::unfold(0, |number| async move {
        if number == 5 {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        Some((Event::message(format!("{number}")), number + 1))
    }))
}

#[cfg(not(feature = "view"))]
#[handler]
fn index() -> &'static str {
    "GET /api/v1/users/7, /api/v1/workflows, /api/v1/events, /health, /metrics\n\
     With the feature `view` this is a page about the metrics.\n"
}

#[handler]
fn health() -> &'static str {
    "ok\n"
}

/// The project file when one is named, then the environment.
fn configuration() -> Result<Config, Box<dyn Error>> {
    let Some(file) = std::env::var_os("COMPOZY_CONFIG") else { return Ok(Config::from_env()?) };
    from_file(&file)
}

#[cfg(feature = "project-file")]
fn from_file(file: &std::ffi::OsStr) -> Result<Config, Box<dyn Error>> {
    Ok(Config::load(file)?)
}

#[cfg(not(feature = "project-file"))]
fn from_file(_: &std::ffi::OsStr) -> Result<Config, Box<dyn Error>> {
    Err("COMPOZY_CONFIG is set, but this binary was built without the feature `project-file`".into())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let service = MonitoringService::new(configuration()?)?;
    build_info!(service);
    service.register(tasks::FAMILIES);

    let app = Route::new();
    let middleware = service.http_middleware();
    #[cfg(feature = "openapi")]
    let (app, middleware) = {
        let api = greetings::api();
        let (document, middleware) = (service.openapi(&api), middleware.openapi("/api/v1", &api));
        let app = app.at("/docs", document.swagger_ui()).at("/docs/openapi.json", document.endpoint());
        (app.nest("/api/v1", api), middleware)
    };
    let app = app
        .at("/api/v1/users/:id", get(user))
        .at("/api/v1/workflows", get(list_workflows).post(start_workflow))
        .at("/api/v1/events", get(events))
        .at("/health", get(health));
    #[cfg(feature = "view")]
    let app = app.at("/", service.view_endpoint());
    #[cfg(not(feature = "view"))]
    let app = app.at("/", get(index));
    // Not with `at`, which panics where the path in MONITORING_PATH is one of the application's.
    let app = service.metrics_endpoint().mount(app)?;
    // Outermost: what other middleware answers is counted too.
    let app = app.with(middleware);

    let address = std::env::var("COMPOZY_ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    info!("Listening on http://{address}: try http://{address}/api/v1/users/7");
    match service.off_reason() {
        None => info!("Metrics are at http://{address}{}", service.path()),
        Some(reason) => info!("No metrics: {reason}"),
    }
    #[cfg(feature = "view")]
    info!("A page about them is at http://{address}/");
    #[cfg(feature = "openapi")]
    info!("Documentation is at http://{address}/docs");
    Server::new(TcpListener::bind(address)).run_with_graceful_shutdown(app, stop, Some(Duration::from_secs(5))).await?;
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
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem}");
            ExitCode::FAILURE
        }
    }
}
