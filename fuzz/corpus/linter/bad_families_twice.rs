mod a {
    compozy_monitoring::families! {
        /// Items.
        pub counter ITEMS = "compozy_items_total";
    }
}
mod b {
    compozy_monitoring::families! {
        /// Items.
        pub counter THE_SAME = "compozy_items_total";
    }
}
