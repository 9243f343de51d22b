//! A listener of its own for the scrape: for a worker without a web framework.
//!
//! One request a connection, HTTP/1. The listener ends with the service and does not keep it running.

mod address;
#[cfg(feature = "prometheus")]
mod listener;

use std::{io, net::SocketAddr};

pub use self::address::ListenAddress;
use crate::MonitoringService;

impl MonitoringService {
    /// Serves the metrics at [`path`](Self::path) of this address, until the service stops. Returns the address on
    /// which it listens, with its port if port 0 was asked for. Returns `None` while monitoring is off: then it does
    /// not listen.
    ///
    /// A port alone means loopback. `"0.0.0.0:9091"` means all interfaces. Everybody who reaches the address can read
    /// the metrics, unless there is a [token](crate::Config::bearer_token).
    ///
    /// It serves at most 32 connections at once, each for at most half a minute. Further connections wait. A scrape
    /// that is in progress when the service stops is still answered.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use compozy_monitoring::{Config, MonitoringService};
    ///
    /// let service = MonitoringService::new(Config::from_env()?)?;
    /// service.serve(9091)?; // http://127.0.0.1:9091/metrics
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The address cannot be used, or this is not called in a Tokio runtime that has its drivers for network and time. While
    /// monitoring is off there is no error: nothing is opened.
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
