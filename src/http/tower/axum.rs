//! axum: the scrape in an application's router.

use std::panic::{AssertUnwindSafe, catch_unwind};

use axum::{Router, routing};

use crate::{ConfigError, MonitoringService};

impl MonitoringService {
    /// Puts the endpoint into the application's router, at [`path`](Self::path). Call it when the router has all its
    /// routes, and before its layers.
    ///
    /// While monitoring is off, the application's own route at that path answers. If it has none, the path answers 503
    /// and says why there are no metrics.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use compozy_monitoring::MonitoringService;
    ///
    /// # fn main() -> Result<(), compozy_monitoring::ConfigError> {
    /// let service = MonitoringService::for_test();
    /// let app = Router::new().route("/users/{id}", get(async || "a user"));
    /// let app: Router = service.mount_metrics(app)?.layer(service.http_layer());
    /// # let _ = app;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The application answers GET at exactly this path, and monitoring is on. Serve the metrics at another path, or go
    /// on without them.
    #[cfg_attr(docsrs, doc(cfg(feature = "http-axum")))]
    pub fn mount_metrics<S>(&self, app: Router<S>) -> Result<Router<S>, ConfigError>
    where
        S: Clone + Send + Sync + 'static,
    {
        let metrics = self.metrics_service();
        let route = if self.is_enabled() {
            routing::get_service(metrics.clone()).fallback_service(metrics)
        } else {
            // It gets the methods that the application does not answer.
            routing::any_service(metrics)
        };
        // axum panics if a route is taken, and offers no way to ask first.
        match catch_unwind(AssertUnwindSafe(|| app.clone().route(self.path(), route))) {
            Ok(mounted) => Ok(mounted),
            Err(_) if !self.is_enabled() => Ok(app),
            Err(_) => Err(ConfigError::path_is_taken(self.path())),
        }
    }
}
