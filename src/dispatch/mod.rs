//! On or off, and for whom: the switch that every record reads, the running instance, scopes and muting.

pub(crate) mod instance;
pub(crate) mod switch;
