//! Declared families: what `families!` expands to.
//!
//! A [`Family`] is a `static` that knows its name, help, kind and labels. The types of its labels decide how it is
//! stored: closed sets give a dense table, free text a capped one.

use std::{future::Future, marker::PhantomData};

use super::{
    handles::{Counter, Gauge, Handle, Histogram, LazyFamily, OUTSIDE, Registrar},
    number::Number,
    timer::{Timed, Timer},
    track::TrackGuard,
};
use crate::schema::family::{FamilyDef, LabelType};

/// How many values a label type has; 0 for free text.
const fn values<L: LabelType>() -> usize {
    match L::VALUES {
        Some(values) => values.len(),
        None => 0,
    }
}

/// A declared family. `H` is its kind, as the handle that it gives out. `L` is a tuple of the types of its labels.
///
/// [`families!`](crate::families) makes it. It is used as a `static`.
pub struct Family<H: Handle, L> {
    pub(crate) lazy: LazyFamily<H>,
    labels: PhantomData<fn(L)>,
}

impl<H: Handle, L> std::fmt::Debug for Family<H, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Family").finish_non_exhaustive()
    }
}

impl<H: Handle, L> Family<H, L> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(def: &'static FamilyDef) -> Self {
        Self { lazy: LazyFamily::new(def), labels: PhantomData }
    }

    /// A family of one run of a model.
    #[cfg(all(test, models))]
    pub(crate) fn of_this_run(def: &'static FamilyDef) -> &'static Self {
        Box::leak(Box::new(Self { lazy: LazyFamily::of_this_run(def), labels: PhantomData }))
    }
}

/// A family without labels. It records itself, without `with`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this family has labels, and records through `with`",
    label = "a series of the family records, not the family",
    note = "`FAMILY.with(..)` takes a value for each label, in the order of the declaration, and gives the handle of the \
            series: `JOBS.with(\"mail\").increment(1)`"
)]
pub trait Unlabelled {}

impl<H: Handle> Unlabelled for Family<H, ()> {}

/// Implemented by nothing: a family without labels has no `with`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this family has no labels, and records without `with`",
    label = "there is no label to give a value to",
    note = "`JOBS.increment(1)`; labels are declared behind the name: `counter JOBS = \"compozy_jobs_total\" {{ queue: str }};`"
)]
pub trait Labelled {}

impl<H: Handle, L> Family<H, L> {
    /// Removes all series of the family. Each is removed as `remove` removes one.
    #[inline]
    pub fn clear(&'static self) {
        self.lazy.clear();
    }
}

impl<H: Handle> Family<H, ()> {
    #[doc(hidden)]
    pub fn with<V>(&'static self, _: V) -> H
    where
        Self: Labelled,
    {
        self.lazy.dense(0)
    }
}

impl<H: Handle, L> Family<H, L> {
    /// The handle of a family without labels.
    #[inline]
    pub fn handle(&'static self) -> H
    where
        Self: Unlabelled,
    {
        self.lazy.dense(0)
    }
}

impl<L> Family<Counter, L> {
    /// Adds to the counter.
    #[doc(alias = "inc")]
    #[doc(alias = "add")]
    #[inline]
    pub fn increment(&'static self, value: u64)
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().increment(value);
    }

    /// Raises the counter to a value that was counted elsewhere. A smaller value changes nothing.
    #[inline]
    pub fn absolute(&'static self, value: u64)
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().absolute(value);
    }
}

impl<L> Family<Gauge, L> {
    /// Adds one to the gauge as long as the guard lives: see [`Gauge::track`].
    #[inline(always)]
    pub fn track(&'static self) -> TrackGuard
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().track()
    }

    /// Adds to the gauge.
    #[doc(alias = "inc")]
    #[doc(alias = "add")]
    #[inline]
    pub fn increment<T: Number>(&'static self, value: T)
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().increment(value);
    }

    /// Subtracts from the gauge.
    #[doc(alias = "dec")]
    #[doc(alias = "sub")]
    #[inline]
    pub fn decrement<T: Number>(&'static self, value: T)
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().decrement(value);
    }

    /// Sets the gauge: see [`Gauge::set`].
    #[inline]
    pub fn set<T: Number>(&'static self, value: T)
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().set(value);
    }
}

impl<L> Family<Histogram, L> {
    /// Starts a timer: see [`Histogram::start_timer`].
    #[inline(always)]
    pub fn start_timer(&'static self) -> Timer
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().start_timer()
    }

    /// Times a future: see [`Histogram::time`].
    #[inline]
    pub fn time<F: Future>(&'static self, future: F) -> Timed<F>
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().time(future)
    }

    /// Records one sample, in the unit of the family. A `Duration` is taken as seconds.
    #[doc(alias = "observe")]
    #[inline]
    pub fn record<T: Number>(&'static self, value: T)
    where
        Self: Unlabelled,
    {
        self.lazy.to_record().record(value);
    }

    /// Records the same sample several times.
    #[inline]
    pub fn record_many<T: Number>(&'static self, value: T, count: usize)
    where
        Self: Unlabelled,
    {
        self.handle().record_many(value, count);
    }
}

/// `with` and `remove` for one number of labels.
macro_rules! with {
    ($(#[$doc:meta])* $($label:ident $arg:ident),+; $(#[$removed:meta])*) => {
        impl<H: Handle, $($label: LabelType),+> Family<H, ($($label,)+)> {
            $(#[$doc])*
            #[allow(clippy::too_many_arguments)]
            #[doc(alias = "with_label_values")]
            #[doc(alias = "labels")]
            #[inline(always)]
            pub fn with(&'static self, $($arg: $label::Arg<'_>),+) -> H {
                if const { true $(&& $label::VALUES.is_some())+ } {
                    let (mut index, mut inside) = (0usize, true);
                    $(
                        let place = $label::index($arg);
                        inside &= place < values::<$label>();
                        // What is inside does not wrap; what is not is not used.
                        index = index.wrapping_mul(values::<$label>()).wrapping_add(place);
                    )+
                    self.lazy.dense(if inside { index } else { OUTSIDE })
                } else {
                    self.lazy.text(|| [$($label::text($arg)),+])
                }
            }

            $(#[$removed])*
            #[allow(clippy::too_many_arguments)]
            #[inline(always)]
            pub fn remove(&'static self, $($arg: $label::Arg<'_>),+) {
                self.lazy.remove(|| [$($label::text($arg)),+]);
            }
        }
    };
}

with!(
    /// The handle of the series with this label value.
    A a;
    /// Removes the series with these label values. Use it when their subject is gone: a session that ended, a queue
    /// that was deleted.
    ///
    /// A removed series is not shown any more and does not count for the cap on series. The next record makes it again,
    /// starting at 0. That also holds for a record through a handle that was taken before, so drop such handles first.
    /// A record on another thread at the same time counts as before the removal or as after it. Removing a series that
    /// does not exist does nothing.
    ///
    /// It works while the service is stopped too. When workflow code is replayed, it removes nothing.
    ///
    /// Until its first removal, a family finds its series without a lock. After that, free text is looked up under a
    /// lock. So is a record into a series of closed sets that was removed before.
    ///
    /// ```
    /// compozy_monitoring::families! {
    ///     /// Mails that wait.
    ///     pub gauge MAILS_WAITING = "compozy_mails_waiting" { method: str };
    /// }
    /// let service = compozy_monitoring::MonitoringService::for_test();
    /// service.in_scope(|| {
    ///     MAILS_WAITING.with("smtp").set(3);
    ///     MAILS_WAITING.with("file").set(1);
    ///     MAILS_WAITING.remove("smtp");
    /// });
    /// # #[cfg(feature = "prometheus")]
    /// service.snapshot().assert(r#"compozy_mails_waiting{method="file"} 1"#);
    /// ```
);
with!(
    /// The handle of the series with these label values, in the order of the declaration.
    A a, B b;
    /// Removes the series with these label values, as with one label.
);
with!(
    /// The handle of the series with these label values, in the order of the declaration.
    A a, B b, C c;
    /// Removes the series with these label values, as with one label.
);
with!(
    /// The handle of the series with these label values, in the order of the declaration.
    A a, B b, C c, D d;
    /// Removes the series with these label values, as with one label.
);
with!(
    /// The handle of the series with these label values, in the order of the declaration.
    A a, B b, C c, D d, E e;
    /// Removes the series with these label values, as with one label.
);
with!(
    /// The handle of the series with these label values, in the order of the declaration.
    A a, B b, C c, D d, E e, F f;
    /// Removes the series with these label values, as with one label.
);

/// A declared family of any kind, with any labels. [`MonitoringService::register`](crate::MonitoringService::register)
/// takes a list of them.
pub trait DeclaredFamily: Sync {
    #[doc(hidden)]
    fn declare(&'static self, registrar: &Registrar<'_>);
}

impl<H: Handle, L> DeclaredFamily for Family<H, L> {
    fn declare(&'static self, registrar: &Registrar<'_>) {
        self.lazy.declare(registrar);
    }
}

/// One family, a tuple of families, or a list that `families!` declares with `pub list`.
pub trait Families {
    #[doc(hidden)]
    fn declare(self, registrar: &Registrar<'_>);
}

impl<H: Handle, L> Families for &'static Family<H, L> {
    fn declare(self, registrar: &Registrar<'_>) {
        DeclaredFamily::declare(self, registrar);
    }
}

impl Families for &[&'static dyn DeclaredFamily] {
    fn declare(self, registrar: &Registrar<'_>) {
        for family in self {
            family.declare(registrar);
        }
    }
}

impl<const N: usize> Families for [&'static dyn DeclaredFamily; N] {
    fn declare(self, registrar: &Registrar<'_>) {
        self.as_slice().declare(registrar);
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Families),+> Families for ($($name,)+) {
            #[allow(non_snake_case)]
            fn declare(self, registrar: &Registrar<'_>) {
                let ($($name,)+) = self;
                $($name.declare(registrar);)+
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
