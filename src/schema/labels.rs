//! The one list of labels that a metric may carry, and the rules for its name.
//!
//! The macros check literals against it while they compile, the recorder checks what reaches it while the process
//! runs, and `label-lint` reads it too. Everything here is a `const fn` without dependencies, in every build.
//!
//! | family | labels |
//! |---|---|
//! | `compozy_http_*` | `method`, `path`, `status_code` |
//! | `compozy_temporal_*` | `workflow_type` |
//! | `compozy_build_info` | `version`, `commit_hash`, `rust_version` |
//! | every other | all of these, closed sets of any name, and the application's own |
//!
//! # Closed sets
//! A label of [`families!`](crate::families) whose values are a closed set has a bound, which is its type. It needs no list, in an
//! application and in a library that others use: `region: Region { Europe = "eu", Asia = "ap" }`.
//!
//! # The application's own labels
//! Free text and the labels of call sites have no bound that the compiler knows. They are on a list in one place,
//! `.cargo/config.toml` at the root of the application's workspace:
//!
//! ```toml
//! [env]
//! COMPOZY_METRIC_LABELS = { value = "task_type,queue", force = true }
//! ```
//!
//! The list is part of the build of this crate, so a change rebuilds everything that depends on it, and a bad entry is
//! a build error. Cargo reads that file from the directory it is called in and those above: called elsewhere, it builds
//! with the core list, and a call site with a label of the application's own does not compile. A published library
//! cannot bring a list along, so it uses closed sets and the core list.
//!
//! # Another namespace
//! `COMPOZY_METRIC_NAMESPACE`, in the same place, is the first word of this crate's own families and of the names that the rules hold
//! for, in the place of `compozy`: `COMPOZY_METRIC_NAMESPACE = { value = "acme", force = true }` makes `acme_http_requests_total`, and an
//! `acme_*` counter ends in `_total`. It is part of the build as the list is.
//!
//! # What no label may be called
//! [`PERSONAL`] names have a value for each person or each request. Neither a closed set nor the list allows them.

pub use super::{
    buckets::{BoundsFault, MOST_BOUNDS, bounds_fault, bounds_of_unit},
    extension::{ACCEPTED_EXTENSION, BadEntry, EntryFault, check_extension, entries},
    label_list::{
        APPLICATION, Category, EXTENSION_VARIABLE, PERSONAL, is_allowed, is_allowed_set, is_allowed_with,
        is_label_name, is_personal, is_plain_label, is_reserved,
    },
    names::{
        ACCEPTED_NAMESPACE, Kind, NAMESPACE_VARIABLE, NameFault, Namespace, TOTAL_GAUGES, declared_name_fault,
        is_metric_name, is_ours, name_fault,
    },
};
