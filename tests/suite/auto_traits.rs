//! What may be done with a value does not depend on the features: each public type has the same automatic traits in every build, so a
//! program that compiles with monitoring off compiles with it on.

use std::panic::{RefUnwindSafe, UnwindSafe};

use compozy_monitoring::{
    Config, ConfigError, Counter, Gauge, Histogram, MonitoringService, ObserveGuard, RenderError, Scoped, Timed, Timer,
    TrackGuard,
};

compozy_monitoring::families! {
    /// Free text.
    counter FREE = "compozy_auto_traits_total" { queue: str };
    /// A closed set.
    gauge CLOSED = "compozy_auto_traits" { outcome: Outcome { Good = "good", Bad = "bad" } };
    /// Both.
    histogram BOTH = "compozy_auto_traits_seconds" { outcome: Outcome, queue: str };
    /// None.
    histogram NONE = "compozy_auto_traits_plain_seconds";
}

const fn all<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}

const fn all_of<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>(_: &T) {}

#[test]
fn values_go_everywhere_and_into_what_may_panic() {
    all::<Counter>();
    all::<Gauge>();
    all::<Histogram>();
    all::<Config>();
    all::<ConfigError>();
    all::<MonitoringService>();
    all::<ObserveGuard>();
    all::<RenderError>();
    all::<Scoped<()>>();
    all::<Timed<()>>();
    all::<Timer>();
    all::<TrackGuard>();
    all_of(&FREE);
    all_of(&CLOSED);
    all_of(&BOTH);
    all_of(&NONE);
    all_of(&FREE.with("q"));
    all_of(&CLOSED.with(Outcome::Good));
    #[cfg(feature = "prometheus")]
    all::<compozy_monitoring::Snapshot>();
    #[cfg(feature = "http-poem")]
    {
        all::<compozy_monitoring::HttpMetrics>();
        all::<compozy_monitoring::HttpMetricsEndpoint<()>>();
        all::<compozy_monitoring::MetricsEndpoint>();
    }
    #[cfg(feature = "http-tower")]
    {
        all::<compozy_monitoring::HttpLayer>();
        all::<compozy_monitoring::MetricsService>();
        all::<compozy_monitoring::MetricsBody>();
    }
    #[cfg(all(feature = "http-tower", feature = "prometheus"))]
    {
        all::<compozy_monitoring::HttpLayerService<(), compozy_monitoring::DefaultRoutes>>();
        all::<compozy_monitoring::CountedBody<()>>();
    }
    #[cfg(feature = "view")]
    all::<compozy_monitoring::ViewEndpoint>();
    #[cfg(feature = "temporal")]
    all::<compozy_monitoring::WorkerGuard>();
}
