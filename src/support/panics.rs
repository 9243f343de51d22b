//! Panics that must not reach the application.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs a part of a record. A panic ends here.
///
/// The out-of-line functions of a record that call this are `extern "C"`, which tells the compiler that they never unwind.
/// Otherwise every call site would keep its handle in memory, to drop it in a panic that never comes, and a disabled record would
/// cost more than its load and branch.
pub(crate) fn catch_panic(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        discard(payload);
    }
}

/// Runs something. The error is the message of a panic.
pub(crate) fn catch_message<R>(run: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        discard(payload);
        text
    })
}

/// Says of a type that a panic beside it leaves it whole. Values are atomics, what is locked is used after a panic too, and what is called
/// through a trait object is this crate's own or the `metrics` crate's. Without this, a record could not stand in a `catch_unwind` that
/// compiles while monitoring is off.
macro_rules! whole_after_a_panic {
    ($name:ident $(<$parameter:ident $(: $bound:path)?>)?) => {
        impl$(<$parameter $(: $bound)?>)? std::panic::UnwindSafe for $name$(<$parameter>)? {}
        impl$(<$parameter $(: $bound)?>)? std::panic::RefUnwindSafe for $name$(<$parameter>)? {}
    };
}
pub(crate) use whole_after_a_panic;

/// Drops the payload of a panic. The drop can panic again; what that leaves is leaked.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}
