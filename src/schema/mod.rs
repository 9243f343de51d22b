//! What a metric may be called and carry. Everything here is a `const fn` or a constant, in every build.
#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "constant functions run in the compiler, where a panic is the error message; they have no iterators, so each \
                  index is compared with the length beside it"
    )
)]

pub(crate) mod buckets;
pub(crate) mod check;
pub(crate) mod extension;
pub(crate) mod family;
pub(crate) mod label_list;
pub mod labels;
pub(crate) mod limits;
mod message;
pub(crate) mod names;
mod repeated;
mod text;
