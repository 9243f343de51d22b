//! wip
mod config;
pub use config::{Config, ConfigError};
pub struct MonitoringService;
impl MonitoringService { pub fn new(c: Config) -> Result<(), ConfigError> { c.validate() } }
