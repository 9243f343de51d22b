//! A gRPC server on tonic that is counted, and serves its scrape on a port of its own.
//!
//! ```text
//! MONITORING_ENABLED=true cargo run --package grpc
//! curl http://127.0.0.1:9090/metrics
//! ```
//!
//! `COMPOZY_ADDR` is where to listen, `127.0.0.1:50051` by default; `COMPOZY_METRICS_PORT` the port of the scrape, on loopback.

use std::{env, error::Error};

use compozy_monitoring::{Config, HttpLayer, MonitoringService, RequestHead, Routes, build_info};
use tonic::transport::Server;

/// The methods that this server has. A client can ask for any other method, which must not become a label value.
const METHODS: [&str; 2] = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];

/// gRPC answers 200 even for a method that the server does not have, so this function returns `unmatched` for those.
fn template(head: &RequestHead<'_>) -> Option<&'static str> {
    let known = METHODS.into_iter().find(|method| *method == head.uri().path());
    Some(known.unwrap_or("unmatched"))
}

fn layer(service: &MonitoringService) -> HttpLayer<impl Routes> {
    service.http_layer().template(template)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let service = MonitoringService::new(Config::from_env()?)?;
    build_info!(service);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    // The two lines: the scrape on loopback, and the layer around all services.
    service.serve(env::var("COMPOZY_METRICS_PORT").map_or(Ok(9090), |port| port.parse())?)?;
    let server = Server::builder().layer(layer(&service)).add_service(health);
    let address = env::var("COMPOZY_ADDR").unwrap_or_else(|_| "127.0.0.1:50051".to_owned());
    tracing::info!("Listening on {address} (gRPC)");
    match service.off_reason() {
        None => tracing::info!("Metrics are on the port of the line above, at {}", service.path()),
        Some(reason) => tracing::info!("No metrics: {reason}"),
    }
    server.serve(address.parse()?).await?;
    service.shutdown();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use tonic::{Code, transport::server::TcpIncoming};
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

    fn value(service: &MonitoringService, series: &str) -> f64 {
        let text = service.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        line.unwrap_or_default()
    }

    fn counted(service: &MonitoringService, path: &str, status: u16) -> f64 {
        let labels = format!(r#"{{method="POST",path="{path}",status_code="{status}"}}"#);
        value(service, &format!("compozy_http_requests_total{labels}"))
    }

    async fn until(what: &str, done: impl Fn() -> bool) {
        let all = async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap_or_else(|_| panic!("not within 20 s: {what}"));
    }

    #[tokio::test]
    async fn known_methods_are_counted_by_name_and_whatever_else_a_client_asks_for_is_unmatched() {
        let service = MonitoringService::for_test();
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = incoming.local_addr().expect("an address");
        let server = Server::builder().layer(layer(&service)).add_service(health);
        let server = tokio::spawn(server.serve_with_incoming(incoming));

        let channel = tonic::transport::Endpoint::try_from(format!("http://{address}")).expect("an address");
        let channel = channel.connect().await.expect("connected");
        let mut client = HealthClient::new(channel.clone());
        let request = |service: &str| HealthCheckRequest { service: service.to_owned() };
        client.check(request("")).await.expect("serving");
        // The answer of the method itself: gRPC says so in a trailer, with the status 200.
        assert_eq!(client.check(request("none")).await.expect_err("unknown").code(), Code::NotFound);
        assert_eq!(counted(&service, "/grpc.health.v1.Health/Check", 200), 2.0);

        // A stream is in flight until the client has enough.
        let mut stream = client.watch(request("")).await.expect("a stream").into_inner();
        assert!(stream.message().await.expect("a message").is_some());
        assert_eq!(value(&service, "compozy_http_requests_in_flight"), 1.0);
        drop(stream);
        until("the stream is counted out", || value(&service, "compozy_http_requests_in_flight") == 0.0).await;
        assert_eq!(counted(&service, "/grpc.health.v1.Health/Watch", 200), 1.0);

        // What a client invents: a service, a method of a known service.
        for invented in ["/invented.Service/Method", "/grpc.health.v1.Health/Invented"] {
            let mut grpc = tonic::client::Grpc::new(channel.clone());
            grpc.ready().await.expect("ready");
            let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
            let path = invented.parse().expect("a path");
            let answer = grpc.unary(tonic::Request::new(request("")), path, codec).await;
            assert_eq!(answer.expect_err("unknown").code(), Code::Unimplemented, "{invented}");
        }
        assert_eq!(counted(&service, "unmatched", 200), 2.0);
        assert!(!service.render().contains("nvented"));
        server.abort();
    }
}
