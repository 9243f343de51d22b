//! A server with many series, for the load test with scrapers: `many ADDRESS SERIES`. `/api/v1/users/:id`, `/metrics`, and
//! `/ready`, which is as many bytes as a scrape without its work.

use std::{error::Error, process::ExitCode};

use bytes::Bytes;
use compozy_monitoring::{Config, MonitoringService};
use poem::{EndpointExt, Route, Server, endpoint::make_sync, get, handler, listener::TcpListener, web::Path};

compozy_monitoring::families! {
    /// As many series as are asked for.
    counter SERIES = "compozy_bench_series_total" { tenant: str, queue: str };
}

#[handler]
fn user(Path(id): Path<u64>) -> String {
    format!("{{\"id\":{id}}}\n")
}

async fn serve(address: &str, series: usize) -> Result<(), Box<dyn Error>> {
    let service = MonitoringService::new(Config::default().enabled(true).series_cap(series.max(1)))?;
    for i in 0..series {
        SERIES.with(&format!("tenant-{}", i / 10), &format!("queue-{}", i % 10)).increment(1);
    }
    let ready = Bytes::from(service.render());
    let app = Route::new()
        .at("/api/v1/users/:id", get(user))
        .at("/ready", make_sync(move |_| ready.clone()))
        .at(service.path(), service.metrics_endpoint())
        .with(service.http_middleware());
    Server::new(TcpListener::bind(address)).run(app).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let [_, address, series] = args.as_slice() else { return ExitCode::FAILURE };
    match serve(address, series.parse().unwrap_or(0)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("many: {error}");
            ExitCode::FAILURE
        }
    }
}
