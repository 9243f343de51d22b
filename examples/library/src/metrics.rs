//! All that the library knows of metrics: functions in the words of the library, with and without the feature.

#[cfg(feature = "monitoring")]
mod recorded {
    compozy_monitoring::families! {
        pub list FAMILIES;

        /// Letters delivered
        pub counter LETTERS_DELIVERED = "courier_letters_delivered_total" {
            method: Method { Mail = "mail", Pigeon = "pigeon" },
        };
        /// Letters that could not be delivered
        pub counter LETTERS_REFUSED = "courier_letters_refused_total" {
            // The library's own label: a closed set needs no list in the workspace of its user.
            refusal: Refusal { NoAddress = "no_address", TooHeavy = "too_heavy" },
        };
    }

    pub(crate) fn delivered(method: Method) {
        LETTERS_DELIVERED.with(method).increment(1);
    }

    pub(crate) fn refused(refusal: Refusal) {
        LETTERS_REFUSED.with(refusal).increment(1);
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

    /// Why a letter was not delivered.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Refusal {
        NoAddress,
        TooHeavy,
    }

    pub(crate) fn delivered(_: Method) {}

    pub(crate) fn refused(_: Refusal) {}
}
#[cfg(not(feature = "monitoring"))]
pub use silent::*;
