//! All that the library knows of metrics: functions in the words of the library, with and without the feature.

#[cfg(feature = "monitoring")]
mod recorded {
    compozy_monitoring::families! {
        pub list FAMILIES;

        /// Letters delivered
        pub counter LETTERS_DELIVERED = "courier_letters_delivered_total" {
            method: Method { Mail = "mail", Pigeon = "pigeon" },
        };
        /// Letters without an address
        pub counter LETTERS_REFUSED = "courier_letters_refused_total";
    }

    pub(crate) fn delivered(method: Method) {
        LETTERS_DELIVERED.with(method).increment(1);
    }

    pub(crate) fn refused() {
        LETTERS_REFUSED.increment(1);
    }
}
#[cfg(feature = "monitoring")]
pub use recorded::*;

#[cfg(not(feature = "monitoring"))]
mod silent {
    /// How a letter travels.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Method {
        Mail,
        Pigeon,
    }

    pub(crate) fn delivered(_: Method) {}

    pub(crate) fn refused() {}
}
#[cfg(not(feature = "monitoring"))]
pub use silent::*;
