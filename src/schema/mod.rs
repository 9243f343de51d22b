//! What a metric may be called and carry. Everything here is a `const fn` or a constant, in every build.

#[cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "constant functions, which have no iterators: every index is compared with the length beside it"
    )
)]
pub(crate) mod buckets;
#[cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "constant functions that run in the compiler, where a panic is the error message"
    )
)]
pub(crate) mod check;
pub(crate) mod family;
#[cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "constant functions, which have no iterators: every index is compared with the length beside it"
    )
)]
pub mod labels;
pub(crate) mod limits;
#[cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "constant functions, which have no iterators: every index is compared with the length beside it"
    )
)]
mod text;
