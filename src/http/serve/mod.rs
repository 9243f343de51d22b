//! A listener of its own for the scrape: for a worker without a web framework.
//!
//! One request a connection, HTTP/1. It ends with the service, so it does not keep it running.

mod address;
#[cfg(feature = "prometheus")]
mod listener;

use std::{io, net::SocketAddr};

pub use self::address::ListenAddress;
use crate::MonitoringService;

impl MonitoringService {
    /// Serves the scrape at [`path`](Self::path) of this address, until the service stops. The address that was taken, which says
    /// the port where 0 was asked for; nothing while monitoring is off, because then nothing is opened.
    ///
    /// A port alone is one of loopback; for all interfaces say so: `"0.0.0.0:9090"`. Whoever reaches the address reads the
    /// metrics, unless there is a [token](crate::Config::bearer_token).
    ///
    /// At most 32 connections at once, each for half a minute; further ones wait. A scrape under way when the service stops is
    /// answered.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use compozy_monitoring::{Config, MonitoringService};
    ///
    /// let service = MonitoringService::new(Config::from_env()?)?;
    /// service.serve(9090)?; // http://127.0.0.1:9090/metrics
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The address cannot be taken, or this is not a Tokio runtime with its drivers for network and time.
    #[cfg_attr(docsrs, doc(cfg(feature = "serve")))]
    pub fn serve(&self, address: impl ListenAddress) -> io::Result<Option<SocketAddr>> {
        #[cfg(feature = "prometheus")]
        if let Some(service) = self.downgrade() {
            return listener::start(service, &address.resolve()?).map(Some);
        }
        let _ = address;
        Ok(None)
    }
}
