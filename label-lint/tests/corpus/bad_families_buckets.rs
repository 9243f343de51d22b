//! Bounds that the compiler refuses, and names without a unit.
compozy_monitoring::families! {
    /// Not rising.
    histogram A = "compozy_a_tokens" buckets [1, 10, 5];
    /// One twice.
    histogram B = "compozy_b_bytes" buckets [0.5, 0.5] { queue: str };
    /// The specification's.
    histogram C = "compozy_http_request_duration_seconds" buckets [1, 2] { method: str, path: str };
    /// No histogram.
    gauge D = "compozy_depth" buckets [1];
    /// Neither a unit nor bounds.
    histogram E = "compozy_e_tokens";
    /// 31 of them.
    histogram F = "compozy_f_tokens" buckets [
        N, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ];
}
