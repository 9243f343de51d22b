//! The life of monitoring in a process: off, on, off again.

use std::{fmt, future::Future, sync::Arc};

use tracing::info;
#[cfg(not(feature = "prometheus"))]
use tracing::warn;

use self::scope::scoped;
use crate::{
    Config, ConfigError,
    config::Endpoint,
    facade::{family::Families, handles::Registrar},
};
#[cfg(feature = "prometheus")]
use crate::{
    builtin,
    dispatch::{
        instance::Instance,
        scope::{Entered, enter},
    },
    schema::names::own_name,
    storage::store::Store,
};

mod observe;
mod render_error;
mod scope;
#[cfg(feature = "prometheus")]
mod snapshot;
#[cfg(all(feature = "prometheus", feature = "serve"))]
mod weak;

pub use observe::ObserveGuard;
pub use render_error::RenderError;
pub use scope::Scoped;
#[cfg(feature = "prometheus")]
pub use snapshot::Snapshot;
#[cfg(all(feature = "prometheus", feature = "serve"))]
pub(crate) use weak::WeakService;

/// Monitoring in one process. A binary makes it at start-up and gives it to its HTTP server.
///
/// A clone is cheap. A service can always be used: if monitoring is off, it records nothing and renders nothing.
///
/// Keep the service as long as monitoring is to run. When the last clone is dropped, monitoring stops, as with
/// [`shutdown`](Self::shutdown), without blocking. The middleware and the endpoint hold a clone each. A log line at
/// level `INFO` says when monitoring stops, and why.
///
/// ```
/// use compozy_monitoring::{Config, MonitoringService};
///
/// # fn main() -> Result<(), compozy_monitoring::ConfigError> {
/// let service = MonitoringService::new(Config::from_env()?)?;
/// compozy_monitoring::build_info!(service);
/// assert!(!service.is_enabled(), "MONITORING_ENABLED is not set here");
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "monitoring stops when the last clone of the service is dropped"]
pub struct MonitoringService {
    endpoint: Arc<Endpoint>,
    /// The instance, on or off; or why there never was one.
    instance: Result<Arc<Instance>, &'static str>,
}

/// Nothing runs in this build.
#[cfg(not(feature = "prometheus"))]
#[derive(Debug)]
enum Instance {}

const DISABLED: &str = "monitoring is disabled; MONITORING_ENABLED=true enables it";
#[cfg(feature = "prometheus")]
const STOPPED: &str = "monitoring was shut down";
#[cfg(not(feature = "prometheus"))]
const NO_FEATURE: &str = "this binary was built without the feature `prometheus` of compozy-monitoring";

impl fmt::Debug for MonitoringService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitoringService").field("enabled", &self.is_enabled()).field("path", &self.path()).finish()
    }
}

impl MonitoringService {
    /// Starts monitoring with these settings. `None` is [`Config::default`], which is off.
    ///
    /// If monitoring is enabled, the recorder becomes the global one of the `metrics` crate, and the macros record into
    /// this service. If another global recorder is installed, or another service is running, that is logged, and the
    /// service that is returned does nothing. The application goes on without metrics.
    ///
    /// After a [`shutdown`](Self::shutdown), a new service uses the same storage: counters continue, and the cap on
    /// series stays what it was.
    ///
    /// Needs no async runtime.
    ///
    /// The compiler warns if the service is not kept, because monitoring then stops at once:
    ///
    /// ```compile_fail
    /// # #![deny(unused_must_use)]
    /// # use compozy_monitoring::{Config, ConfigError, MonitoringService};
    /// fn init(config: Config) -> Result<(), ConfigError> {
    ///     MonitoringService::new(config)?;
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// Only a bad configuration: a path that cannot be an endpoint, a cap out of range, a bad constant label, a token
    /// that cannot be read or cannot stand in a header.
    pub fn new(config: impl Into<Option<Config>>) -> Result<Self, ConfigError> {
        let config = config.into().unwrap_or_default();
        config.validate()?;
        let endpoint = Arc::new(config.endpoint()?);
        info!(enabled = config.enabled, "Initializing monitoring service");
        Ok(Self { endpoint, instance: Self::start(&config) })
    }

    #[cfg(feature = "prometheus")]
    fn start(config: &Config) -> Result<Arc<Instance>, &'static str> {
        if !config.enabled {
            return Err(DISABLED);
        }
        Instance::global(config, builtin::new_global_store)
            .inspect_err(|error| tracing::error!(error, "Prometheus exporter initialization failed"))
    }

    #[cfg(not(feature = "prometheus"))]
    fn start(config: &Config) -> Result<Arc<Instance>, &'static str> {
        if !config.enabled {
            return Err(DISABLED);
        }
        warn!("Monitoring is enabled, but {NO_FEATURE}: no metrics");
        Err(NO_FEATURE)
    }

    /// A service for one test: enabled, with its own storage, nothing global. One process can have any number of them.
    ///
    /// Inside [`scope`](Self::scope) and [`in_scope`](Self::in_scope), macros and families record into it. Without the
    /// feature `prometheus` it does nothing.
    ///
    /// ```
    /// let service = compozy_monitoring::MonitoringService::for_test();
    /// service.in_scope(|| compozy_monitoring::counter!("compozy_jobs_total").increment(1));
    /// # #[cfg(feature = "prometheus")]
    /// assert!(service.render().contains("compozy_jobs_total 1"));
    /// ```
    pub fn for_test() -> Self {
        let config = Config::default();
        #[cfg(feature = "prometheus")]
        let instance = Ok(Instance::hermetic(&config, builtin::new_store));
        #[cfg(not(feature = "prometheus"))]
        let instance = Err(NO_FEATURE);
        Self { endpoint: Arc::new(Endpoint::open(&config.path)), instance }
    }

    /// Whether this service records: it is enabled, started, and not shut down.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        #[cfg(feature = "prometheus")]
        return self.store().is_some();
        #[cfg(not(feature = "prometheus"))]
        return false;
    }

    /// The path at which the application serves the endpoint (`metrics_endpoint`, feature `http-poem`).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.endpoint.path
    }

    /// Who may scrape.
    #[cfg(feature = "_scrape")]
    pub(crate) fn access(&self) -> &crate::config::Access {
        &self.endpoint.access
    }

    /// All families in the Prometheus text format, version 0.0.4. Empty if the service is off, or if rendering fails,
    /// which is logged. To answer a scrape, use [`try_render`](Self::try_render), which tells these cases apart.
    ///
    /// The time grows with the number of series. Do not call it on a thread of an async runtime. The endpoint takes
    /// care of that.
    #[must_use]
    pub fn render(&self) -> String {
        self.try_render().unwrap_or_default()
    }

    /// The recorder, for code that wants handles of the `metrics` crate. These handles go on recording after the
    /// service is shut down.
    ///
    /// ```
    /// use compozy_monitoring::{MonitoringService, metrics};
    ///
    /// let service = MonitoringService::for_test();
    /// let key = metrics::Key::from_name("compozy_jobs_total");
    /// let metadata = metrics::Metadata::new(module_path!(), metrics::Level::INFO, None);
    /// service.recorder().register_counter(&key, &metadata).increment(1);
    /// # #[cfg(feature = "prometheus")]
    /// assert!(service.render().contains("compozy_jobs_total 1"));
    /// ```
    #[must_use]
    pub fn recorder(&self) -> &dyn metrics::Recorder {
        #[cfg(feature = "prometheus")]
        if let Some(instance) = self.instance_if_on() {
            return instance.recorder();
        }
        &metrics::NoopRecorder
    }

    /// Declares families at start-up. Families without labels, and those whose labels are closed sets, are then
    /// exported as 0 before anything is recorded. Takes a family, a tuple of families, or a list of `families!`.
    ///
    /// ```
    /// compozy_monitoring::families! {
    ///     /// Mails sent.
    ///     pub counter MAILS_SENT = "compozy_mails_sent_total";
    /// }
    /// let service = compozy_monitoring::MonitoringService::for_test();
    /// service.register(&MAILS_SENT);
    /// # #[cfg(feature = "prometheus")]
    /// assert!(service.render().contains("compozy_mails_sent_total 0"));
    /// ```
    pub fn register(&self, families: impl Families) {
        #[cfg(feature = "prometheus")]
        families.declare(&Registrar(self.store().map(Arc::as_ref)));
        #[cfg(not(feature = "prometheus"))]
        families.declare(&Registrar(std::marker::PhantomData));
    }

    /// Runs a future in which macros and families record into this service, even if another service runs in the
    /// process.
    ///
    /// The scope holds on every thread on which the future is polled or dropped. Tasks that the future spawns do not
    /// inherit it.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let service = compozy_monitoring::MonitoringService::for_test();
    /// service.scope(async { compozy_monitoring::counter!("compozy_jobs_total").increment(1) }).await;
    /// # #[cfg(feature = "prometheus")]
    /// assert!(service.render().contains("compozy_jobs_total 1"));
    /// # });
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        scoped(self, future)
    }

    /// Runs a closure in which macros and families record into this service, even if another service runs in the
    /// process.
    pub fn in_scope<R>(&self, run: impl FnOnce() -> R) -> R {
        #[cfg(feature = "prometheus")]
        let _entered = self.enter();
        run()
    }

    /// Stops recording. The endpoint answers 503 from now on. Never blocks, because nothing runs beside the
    /// application. It can be called any number of times, on any clone.
    pub fn shutdown(&self) {
        #[cfg(feature = "prometheus")]
        if let Ok(instance) = &self.instance {
            instance.stop("it was shut down");
        }
    }

    /// Why nothing is recorded, as text for a log line. `None` while the service records. The endpoint answers 503 with
    /// the same text.
    ///
    /// ```
    /// use compozy_monitoring::MonitoringService;
    ///
    /// # fn main() -> Result<(), compozy_monitoring::ConfigError> {
    /// let service = MonitoringService::new(None)?;
    /// assert_eq!(service.off_reason(), Some("monitoring is disabled; MONITORING_ENABLED=true enables it"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn off_reason(&self) -> Option<&'static str> {
        match &self.instance {
            #[cfg(feature = "prometheus")]
            Ok(instance) => (!instance.is_on()).then_some(STOPPED),
            #[cfg(not(feature = "prometheus"))]
            Ok(instance) => match **instance {},
            Err(reason) => Some(reason),
        }
    }

    #[doc(hidden)]
    pub fn __set_build_info(&self, version: &str, commit_hash: &str) {
        #[cfg(feature = "prometheus")]
        if let Some(store) = self.store() {
            let rust_version = env!("COMPOZY_MONITORING_RUSTC");
            let _ = store.diagnostics.catch_and_report(own_name!("build_info"), || {
                builtin::catalogue::set_build_info(store, version, commit_hash, rust_version);
            });
        }
        #[cfg(not(feature = "prometheus"))]
        let _ = (version, commit_hash);
    }
}

#[cfg(feature = "prometheus")]
impl MonitoringService {
    /// The instance, on or off; nothing if there never was one.
    #[inline]
    pub(crate) fn instance(&self) -> Option<&Arc<Instance>> {
        self.instance.as_ref().ok()
    }

    /// The instance, while the service is on.
    #[inline]
    pub(crate) fn instance_if_on(&self) -> Option<&Arc<Instance>> {
        self.instance().filter(|instance| instance.is_on())
    }

    /// The storage, while the service is on.
    pub(crate) fn store(&self) -> Option<&Arc<Store>> {
        self.instance_if_on().map(|instance| instance.store())
    }

    /// The scope of this service, for this thread and as long as it lives.
    pub(crate) fn enter(&self) -> Entered<'_> {
        enter(self.instance())
    }
}
