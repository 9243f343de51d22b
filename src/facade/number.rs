//! What can be recorded as a value.

use std::{num::NonZero, time::Duration};

/// A value for a gauge or a histogram: every number, and a [`Duration`], which is recorded in seconds.
///
/// Series hold `f64`, so a 64-bit integer above 2^53 is rounded. Implement this trait to record a type of your own.
///
/// ```
/// use std::time::Duration;
///
/// # let queue = vec![1, 2, 3];
/// compozy_monitoring::gauge!("compozy_queue_depth").set(queue.len());
/// compozy_monitoring::histogram!("compozy_query_duration_seconds").record(Duration::from_millis(20));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no number, and a metric holds numbers",
    label = "expected a number or a `Duration`",
    note = "every integer and every float will do, and a `std::time::Duration`, which counts as seconds",
    note = "of a `bool`: `u8::from(value)`; of an atomic: `value.load(Ordering::Relaxed)`; of an `Option`: `unwrap_or(0)`"
)]
pub trait Number {
    /// The value as it is recorded.
    fn to_f64(self) -> f64;
}

macro_rules! lossless {
    ($($number:ty),*) => {$(
        impl Number for $number {
            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}

macro_rules! rounded {
    ($($number:ty),*) => {$(
        impl Number for $number {
            #[inline]
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

macro_rules! non_zero {
    ($($number:ty),*) => {$(
        impl Number for NonZero<$number> {
            #[inline]
            fn to_f64(self) -> f64 {
                self.get().to_f64()
            }
        }
    )*};
}

lossless!(f32, f64, i8, i16, i32, u8, u16, u32);
rounded!(i64, i128, isize, u64, u128, usize);
non_zero!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

impl Number for Duration {
    #[inline]
    fn to_f64(self) -> f64 {
        self.as_secs_f64()
    }
}

// Not of every `T: Number`: then the compiler would say of text that what is behind the reference is no number.
macro_rules! behind_a_reference {
    ($($number:ty),*) => {$(
        impl Number for &$number {
            #[inline]
            fn to_f64(self) -> f64 {
                (*self).to_f64()
            }
        }
    )*};
}

behind_a_reference!(f32, f64, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, Duration);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_that_people_have_is_taken_as_it_is_and_rounded_where_a_float_has_no_place() {
        macro_rules! seven {
            ($($number:ty),*) => {
                [$((7 as $number).to_f64(), (&(7 as $number)).to_f64()),*]
            };
        }
        assert_eq!(seven!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64), [7.0; 28]);
        macro_rules! non_zero {
            ($($number:ty),*) => {
                [$(NonZero::<$number>::new(7).unwrap().to_f64()),*]
            };
        }
        assert_eq!(non_zero!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize), [7.0; 12]);
        assert_eq!((-7_i128).to_f64(), -7.0);
        assert_eq!(((1_u64 << 53) + 1).to_f64(), 9_007_199_254_740_992.0);
        assert_eq!(u128::MAX.to_f64(), 340_282_366_920_938_463_463_374_607_431_768_211_456.0);
        assert_eq!((Duration::from_millis(1_500).to_f64(), (&Duration::from_millis(20)).to_f64()), (1.5, 0.02));
    }
}
