//! A small API on axum with one `/metrics`, on its own server.
//!
//! ```text
//! MONITORING_ENABLED=true cargo run --example axum --features prometheus,http-axum
//! curl http://127.0.0.1:8080/api/v1/users/7; curl http://127.0.0.1:8080/metrics
//! ```
//!
//! `COMPOZY_ADDR` is where to listen; `127.0.0.1:8080` by default.

use std::{convert::Infallible, error::Error};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    routing::get,
};
use compozy_monitoring::{Config, MonitoringService, build_info};
use futures_util::stream;

async fn user(Path(id): Path<u64>) -> String {
    format!("{{\"id\":{id}}}\n")
}

/// Streams five events: in flight to the last one.
async fn events() -> Body {
    Body::from_stream(stream::iter((1..=5).map(|n| Ok::<_, Infallible>(Bytes::from(format!("event {n}\n"))))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let service = MonitoringService::new(Config::from_env()?)?;
    build_info!(service);
    let app = Router::new()
        .route("/api/v1/users/{id}", get(user))
        .route("/api/v1/events", get(events))
        .route("/health", get(async || "ok\n"));
    #[cfg(feature = "view")]
    let app = app.route_service("/", service.view_endpoint());
    #[cfg(not(feature = "view"))]
    let app = app.route("/", get(async || "GET /api/v1/users/7, /api/v1/events, /health, /metrics\n"));
    // The two lines: the scrape beside the routes, and the layer around all of them.
    let app = service.mount_metrics(app)?;
    let app = app.layer(service.http_layer().skip("/health"));

    let address = std::env::var("COMPOZY_ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    tracing::info!("Listening on http://{address}: try http://{address}/api/v1/users/7");
    match service.off_reason() {
        None => tracing::info!("Metrics are at http://{address}{}", service.path()),
        Some(reason) => tracing::info!("No metrics: {reason}"),
    }
    let listener = tokio::net::TcpListener::bind(address).await?;
    let stopped = async { _ = tokio::signal::ctrl_c().await };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await?;
    service.shutdown();
    Ok(())
}
