//! Instrument every module once; pay for it only where it is switched on.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod macros;

mod config;
mod family;
#[cfg(feature = "http-poem")]
mod http;
mod scope;
mod service;

#[cfg(feature = "prometheus")]
mod catalogue;
#[cfg(feature = "prometheus")]
mod handles;
#[cfg(not(feature = "prometheus"))]
#[path = "noop.rs"]
mod handles;
#[cfg(feature = "prometheus")]
mod recorder;
#[cfg(feature = "prometheus")]
mod state;

pub use config::{Config, ConfigError};
pub use family::{ClosedLabel, DeclaredFamily, Families, Family, Text};
pub use handles::{Counter, Gauge, Histogram};
#[cfg(feature = "http-poem")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-poem")))]
pub use http::{HttpMetrics, HttpMetricsEndpoint, MetricsEndpoint};
pub use metrics;
pub use scope::Scoped;
pub use service::MonitoringService;

#[doc(hidden)]
pub mod __private {
    pub use crate::{
        family::{FamilyDef, Kind, LabelDef},
        handles::{COMPILED, Site, describe, is_on, resolve},
    };
}
