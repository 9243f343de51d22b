//! Which labels a metric may have, and the rules for its name.
//!
//! The compiler checks literals in macros, the recorder checks everything at run time, and `label-lint` uses the same
//! rules. Everything here is a `const fn` without dependencies, in every build.
//!
//! | family | labels |
//! |---|---|
//! | `compozy_http_*` | `method`, `path`, `status_code` |
//! | `compozy_temporal_*` | `workflow_type` |
//! | `compozy_build_info` | `version`, `commit_hash`, `rust_version` |
//! | every other | all of these, closed sets of any name, and the application's own |
//!
//! # Closed sets
//! A label of [`families!`](crate::families) with a closed set of values is limited by its type. It needs no list, in
//! an application and in a library that others use: `region: Region { Europe = "eu", Asia = "ap" }`.
//!
//! # The application's own labels
//! The compiler knows no limit for free text and for the labels of call sites. They have to be on a list in one place,
//! `.cargo/config.toml` at the root of the application's workspace:
//!
//! ```toml
//! [env]
//! COMPOZY_METRIC_LABELS = { value = "task_type,queue", force = true }
//! ```
//!
//! The list is part of the build of this crate. A change rebuilds everything that depends on it, and a bad entry is a
//! build error. Cargo looks for that file in the directory in which it is called and in those above it. If Cargo is
//! called elsewhere, it builds with the core list, and a call site with a label of the application does not compile. A
//! published library cannot bring a list, so it uses closed sets and the core list.
//!
//! # Another namespace
//! `COMPOZY_METRIC_NAMESPACE`, in the same file, replaces the word `compozy` in the names of this crate's own families,
//! and in the names for which the rules hold. With `COMPOZY_METRIC_NAMESPACE = { value = "acme", force = true }` there
//! is `acme_http_requests_total`, and an `acme_*` counter must end in `_total`. It is part of the build, as the list
//! is.
//!
//! # What no label may be called
//! The names in [`PERSONAL`] have a value for each person or each request. They are allowed neither in a closed set nor
//! on the list.

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
