//! The loop that accepts connections, and what a connection is answered.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::Semaphore,
    time,
};

use crate::{
    http::core::{
        scrape::{MetricsBody, Scrape},
        shared_render::SharedRender,
    },
    service::WeakService,
};

/// Connections at once; further ones wait in the queue of the operating system.
const CONNECTIONS: usize = 32;
/// How long a connection may take, from its request to the end of the answer: three times what Prometheus waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause after a connection that could not be accepted, because the process has no file descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// What `serve` says where it cannot start a task.
const NO_RUNTIME: &str =
    "`serve` starts a Tokio task: call it in a Tokio runtime, such as an `async fn main` with `#[tokio::main]`";

/// The addresses as an error names them.
fn listed(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// Takes one of these addresses and serves there.
pub(super) fn start(service: WeakService, addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
    let runtime = Handle::try_current().map_err(|_| io::Error::other(NO_RUNTIME))?;
    let bound = std::net::TcpListener::bind(addresses);
    let listener = bound.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", listed(addresses))))?;
    listener.set_nonblocking(true)?;
    // A runtime without the drivers panics.
    let checked = catch_unwind(AssertUnwindSafe(|| (TcpListener::from_std(listener), time::sleep(Duration::ZERO)).0));
    let listener = checked.map_err(|_| io::Error::other("the Tokio runtime has no drivers for network and time"))??;
    let address = listener.local_addr()?;
    tracing::info!(%address, path = service.path(), "Metrics are served");
    runtime.spawn(accept(Arc::new(Listener { service, shared: Arc::default() }), listener));
    Ok(address)
}

struct Listener {
    /// Weak: the listener must not keep the service running.
    service: WeakService,
    shared: Arc<SharedRender>,
}

async fn accept(listener: Arc<Listener>, socket: TcpListener) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async { (free.clone().acquire_owned().await, socket.accept().await) };
        let Some((permit, accepted)) = listener.while_on(next).await else { return };
        let Ok((stream, _)) = accepted else {
            time::sleep(PAUSE).await;
            continue;
        };
        let listener = listener.clone();
        tokio::spawn(async move {
            let _ = time::timeout(PATIENCE, listener.answer(stream)).await;
            drop(permit);
        });
    }
}

impl Listener {
    /// The output of a future; nothing if the service stops first.
    async fn while_on<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match self.service.poll_stopped(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => future.as_mut().poll(cx).map(Some),
        })
        .await
    }

    /// One request of a connection.
    async fn answer(&self, stream: TcpStream) {
        let answer = service_fn(async |req| Ok::<_, Infallible>(self.answer_to(req).await));
        let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer);
        // An error is a client that has left, or that does not speak HTTP.
        let _ = connection.await;
    }

    async fn answer_to(&self, req: Request<Incoming>) -> Response<MetricsBody> {
        let path = req.uri().path();
        let scrape = Scrape::of(self.service.upgrade(), self.shared.clone());
        let response = if path.strip_suffix('/').unwrap_or(path) == self.service.path() {
            scrape.answer(req.method(), req.headers()).await
        } else {
            scrape.not_found(req.headers())
        };
        response.map(MetricsBody::new)
    }
}
