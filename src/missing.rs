//! What a build lacks: methods that cannot be called, only so that the compiler names the feature that has them.
//!
//! Each wants its type to implement a trait that nothing implements. Through a reference the compiler does not print the
//! trait's message, only its name, so the name says it too.

#[cfg(any(
    not(feature = "prometheus"),
    not(feature = "http-axum"),
    not(feature = "http-poem"),
    not(feature = "http-tower"),
    not(feature = "openapi"),
    not(feature = "temporal"),
    not(feature = "project-file"),
    not(feature = "serve"),
    not(feature = "view")
))]
macro_rules! missing {
    (
        $message:tt $line:tt $feature:ident;
        $($type:ident { $($method:ident(self $(, $argument:ident)*))* $(; $($function:ident($($value:ident)*))*)? })*
    ) => {
        #[doc(hidden)]
        #[diagnostic::on_unimplemented(message = $message, label = "not in this build", note = $line)]
        pub trait $feature<'a> {
            type Missing;
            fn missing() -> Self::Missing;
        }

        $(#[doc(hidden)]
        impl crate::$type {
            $(pub fn $method<'a $(, $argument)*>(&'a self $(, _: $argument)*) -> <Self as $feature<'a>>::Missing
            where
                Self: $feature<'a>,
            {
                <Self as $feature<'a>>::missing()
            })*
            $($(pub fn $function<'a, $($value)*>($(_: $value)*) -> <Self as $feature<'a>>::Missing
            where
                Self: $feature<'a>,
            {
                <Self as $feature<'a>>::missing()
            })*)?
        })*
    };
}

#[cfg(not(feature = "prometheus"))]
missing! {
    "`snapshot` needs the feature `prometheus` of compozy-monitoring"
    "in Cargo.toml, for tests under [dev-dependencies]: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\"] }}"
    BuiltWithTheFeaturePrometheus;
    MonitoringService { snapshot(self) }
}

#[cfg(not(feature = "http-poem"))]
missing! {
    "the HTTP middleware and the endpoint need the feature `http-poem` of compozy-monitoring"
    "in Cargo.toml: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\", \"http-poem\"] }}"
    BuiltWithTheFeatureHttpPoem;
    MonitoringService { metrics_endpoint(self) http_middleware(self) }
}

#[cfg(not(feature = "http-tower"))]
missing! {
    "the HTTP layer and the scrape service need the feature `http-tower` of compozy-monitoring"
    "in Cargo.toml: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\", \"http-tower\"] }}; with axum, \"http-axum\""
    BuiltWithTheFeatureHttpTower;
    MonitoringService { http_layer(self) metrics_service(self) }
}

#[cfg(not(feature = "http-axum"))]
missing! {
    "`mount_metrics` needs the feature `http-axum` of compozy-monitoring"
    "in Cargo.toml: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\", \"http-axum\"] }}"
    BuiltWithTheFeatureHttpAxum;
    MonitoringService { mount_metrics(self, A) }
}

#[cfg(not(feature = "openapi"))]
missing! {
    "`openapi` needs the feature `openapi` of compozy-monitoring"
    "in Cargo.toml: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\", \"openapi\"] }}"
    BuiltWithTheFeatureOpenapi;
    MonitoringService { openapi(self, A) }
}

#[cfg(all(feature = "http-poem", not(feature = "openapi")))]
#[doc(hidden)]
impl crate::HttpMetrics {
    pub fn openapi<'a, A, B>(&'a self, _: A, _: B) -> <Self as BuiltWithTheFeatureOpenapi<'a>>::Missing
    where
        Self: BuiltWithTheFeatureOpenapi<'a>,
    {
        <Self as BuiltWithTheFeatureOpenapi<'a>>::missing()
    }
}

#[cfg(not(feature = "temporal"))]
missing! {
    "monitoring of Temporal needs the feature `temporal` of compozy-monitoring"
    "in Cargo.toml: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\", \"temporal\"] }}"
    BuiltWithTheFeatureTemporal;
    MonitoringService {
        temporal_runtime_options(self)
        instrument_worker(self, A)
        temporal_meter(self)
        temporal_interceptor(self)
        track_worker(self)
        set_workers_configured(self, A)
    }
}

#[cfg(not(feature = "serve"))]
missing! {
    "`serve` needs the feature `serve` of compozy-monitoring"
    "in Cargo.toml: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\", \"serve\"] }}"
    BuiltWithTheFeatureServe;
    MonitoringService { serve(self, A) }
}

#[cfg(not(feature = "project-file"))]
missing! {
    "reading a `compozy.yaml` needs the feature `project-file` of compozy-monitoring"
    "in Cargo.toml: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\", \"project-file\"] }}; `Config::from_env` needs none"
    BuiltWithTheFeatureProjectFile;
    Config { ; from_project_file(A) load(A) }
}

/// Methods that people know from other libraries, or from another kind of metric.
macro_rules! foreign_words {
    ($message:tt $note:tt $rule:ident; $type:ident: $($method:ident)*) => {
        #[doc(hidden)]
        #[diagnostic::on_unimplemented(message = $message, label = "there is no such method", note = $note)]
        pub trait $rule<'a> {
            type Missing;
            fn missing() -> Self::Missing;
        }

        #[doc(hidden)]
        impl crate::$type {
            $(pub fn $method<'a>(&'a self) -> <Self as $rule<'a>>::Missing
            where
                Self: $rule<'a>,
            {
                <Self as $rule<'a>>::missing()
            })*
        }

        #[doc(hidden)]
        impl<L> crate::Family<crate::$type, L> {
            $(pub fn $method<'a>(&'a self) -> <Self as $rule<'a>>::Missing
            where
                Self: $rule<'a>,
            {
                <Self as $rule<'a>>::missing()
            })*
        }
    };
}

foreign_words! {
    "a counter counts with `increment`"
    "`JOBS.increment(1)`, always with a number, or `absolute(total)`; what also goes down is a gauge"
    CounterHasIncrementAndAbsolute;
    Counter: inc inc_by add set decrement dec sub record observe
}

foreign_words! {
    "a gauge changes with `set`, `increment` and `decrement`"
    "`DEPTH.set(3)`, `DEPTH.increment(1)`, `DEPTH.decrement(1)`, always with a number; what takes samples is a histogram"
    GaugeHasSetIncrementAndDecrement;
    Gauge: inc inc_by add absolute dec dec_by sub record observe
}

foreign_words! {
    "a histogram takes samples with `record`"
    "`WAIT.record(started.elapsed())`; what is counted is a counter, what is set is a gauge"
    HistogramHasRecord;
    Histogram: observe increment inc add absolute set decrement
}

/// What other libraries call `with`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a family takes its label values with `with`",
    label = "there is no such method",
    note = "`JOBS.with(\"mail\").increment(1)`: one argument for each label, in the order of the declaration"
)]
pub trait FamilyHasWith {
    type Missing;
    fn missing() -> Self::Missing;
}

macro_rules! with_words {
    ($($method:ident)*) => {
        #[doc(hidden)]
        impl<H: crate::facade::handles::Handle, L> crate::Family<H, L> {
            $(pub fn $method<A>(&self, _: A) -> <Self as FamilyHasWith>::Missing
            where
                Self: FamilyHasWith,
            {
                <Self as FamilyHasWith>::missing()
            })*
        }
    };
}

with_words!(with_label_values with_labels labels get_or_create get_metric_with_label_values);

#[cfg(not(feature = "view"))]
missing! {
    "`view_endpoint` needs the feature `view` of compozy-monitoring"
    "in Cargo.toml: compozy-monitoring = {{ version = \"0.1\", features = [\"prometheus\", \"view\"] }}, and `http-poem` or `http-tower`"
    BuiltWithTheFeatureView;
    MonitoringService { view_endpoint(self) }
}
