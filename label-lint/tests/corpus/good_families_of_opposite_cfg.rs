#[cfg(unix)]
compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total";
}
#[cfg(not(unix))]
compozy_monitoring::families! {
    /// Items.
    pub counter ITEMS = "compozy_items_total";
}
#[cfg(all(feature = "a", target_os = "linux"))]
mod a {
    compozy_monitoring::families! {
        /// Jobs.
        pub counter JOBS = "compozy_jobs_total";
    }
}
#[cfg(not(all(feature = "a", target_os = "linux")))]
mod b {
    compozy_monitoring::families! {
        /// Jobs.
        pub counter JOBS = "compozy_jobs_total";
    }
}
