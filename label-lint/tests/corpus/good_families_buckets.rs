//! Bounds by the unit, and of a declaration's own.
const LARGE: u64 = 1 << 20;
compozy_monitoring::families! {
    /// By the unit.
    pub histogram PAYLOAD = "compozy_payload_bytes" { queue: str };
    /// Its own.
    pub(crate) histogram TOKENS = "compozy_tokens" buckets [-1, 0.5, 1, 1_000, LARGE, 1e9,] { region: Region { Europe = "eu" } };
    /// Of a family in seconds.
    histogram JOBS = "compozy_job_seconds" buckets [60, 3_600];
    /// A library's.
    histogram WEIGHT = "courier_letters_weight" buckets [20];
}
fn sites() {
    compozy_monitoring::histogram!("compozy_body_bytes").record(1);
}
