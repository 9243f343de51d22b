//! Declared families: what `families!` expands to.
//!
//! A [`Family`] is a `static` that knows its name, help, kind and labels. The types of its labels decide how it is
//! stored: closed sets give a dense table, free text a capped one.

use std::marker::PhantomData;

use super::handles::{Counter, Gauge, Handle, Histogram, LazyFamily, OUTSIDE};
pub use crate::schema::labels::Kind;
use crate::{
    Number,
    schema::labels::{OTHER, begins},
};

/// A label of a declared family: its name, and its values when they are a closed set.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
pub struct LabelDef {
    pub(crate) name: &'static str,
    pub(crate) values: Option<&'static [&'static str]>,
}

impl LabelDef {
    /// A label with the values of `L`.
    #[must_use]
    pub const fn of<L: LabelType>(name: &'static str) -> Self {
        Self { name: plain(name), values: L::VALUES }
    }

    #[cfg(all(test, feature = "prometheus"))]
    pub(crate) const fn text(name: &'static str) -> Self {
        Self { name, values: None }
    }
}

/// What a family is, before anything is stored.
#[derive(Debug)]
#[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
pub struct FamilyDef {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [LabelDef],
    /// Where it is declared.
    pub(crate) module: &'static str,
}

impl FamilyDef {
    /// Describes a family; `families!` calls it, and checks what it describes.
    #[must_use]
    pub const fn new(
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: &'static [LabelDef],
        module: &'static str,
    ) -> Self {
        Self { name, help, kind, labels, module }
    }
}

#[cfg(feature = "prometheus")]
impl FamilyDef {
    /// The labels, by place, whose values are outside their closed sets.
    pub(crate) fn invalid_labels(&self, values: &[&str]) -> Vec<usize> {
        let is_stray = |label: &LabelDef, value| label.values.is_some_and(|known| !known.contains(value));
        let places = self.labels.iter().zip(values).enumerate();
        places.filter(|(_, (label, value))| is_stray(label, value)).map(|(place, _)| place).collect()
    }

    /// The place of these values in the dense table.
    pub(crate) fn index_of(&self, values: &[&str]) -> Option<usize> {
        self.labels.iter().zip(values).try_fold(0usize, |index, (label, value)| {
            let known = label.values?;
            let place = known.iter().position(|candidate| candidate == value)?;
            index.checked_mul(known.len())?.checked_add(place)
        })
    }

    /// The label values that a place in the dense table stands for: the last label changes fastest, as in `with`.
    pub(crate) fn values_at(&self, mut index: usize) -> Vec<&'static str> {
        let mut values = Vec::with_capacity(self.labels.len());
        for label in self.labels.iter().rev() {
            let known = label.values.unwrap_or_default();
            let place = index.checked_rem(known.len()).unwrap_or_default();
            values.push(known.get(place).copied().unwrap_or_default());
            index = index.checked_div(known.len()).unwrap_or(index);
        }
        values.reverse();
        values
    }
}

/// The name behind `r#`.
const fn plain(name: &'static str) -> &'static str {
    if begins(name, "r#") { name.split_at(2).1 } else { name }
}

/// A closed set of label values: an enum whose variants are the values.
///
/// `families! { .. { task_type: TaskType { Basic = "basic" } } }` declares the enum and implements this; an enum of
/// your own implements it by hand and is named without braces.
///
/// ```
/// use compozy_monitoring::ClosedLabel;
///
/// #[derive(Clone, Copy)]
/// pub enum Priority { High, Low }
///
/// impl ClosedLabel for Priority {
///     const VALUES: &'static [&'static str] = &["high", "low"];
///     fn index(self) -> usize { self as usize }
/// }
///
/// compozy_monitoring::families! {
///     /// Tasks queued.
///     pub counter TASKS_QUEUED = "compozy_tasks_queued_total" { priority: Priority };
/// }
/// TASKS_QUEUED.with(Priority::High).increment(1);
/// ```
pub trait ClosedLabel: Copy {
    /// The values, each once.
    const VALUES: &'static [&'static str];
    /// The place of this value in [`Self::VALUES`].
    fn index(self) -> usize;
}

/// Free text as a label value: sanitised, and capped by the family. Written `str` in `families!`.
#[derive(Clone, Copy, Debug)]
pub struct Text;

/// The type of a label: a [`ClosedLabel`] or [`Text`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no set of label values",
    label = "expected `str` or a closed set",
    note = "a label is free text, written `str`, or a closed set: `queue: Queue {{ Mail = \"mail\", Sms = \"sms\" }}`",
    note = "an enum of your own is a closed set once it implements `compozy_monitoring::ClosedLabel`"
)]
pub trait LabelType {
    /// What a call site passes.
    type Arg<'a>: Copy;
    /// The values of a closed set.
    const VALUES: Option<&'static [&'static str]>;
    /// The place of a value in a closed set.
    fn index(arg: Self::Arg<'_>) -> usize;
    /// The value as text.
    fn text<'a>(arg: Self::Arg<'a>) -> &'a str;
}

impl<T: ClosedLabel> LabelType for T {
    type Arg<'a> = T;
    const VALUES: Option<&'static [&'static str]> = Some(T::VALUES);

    #[inline]
    fn index(arg: Self::Arg<'_>) -> usize {
        arg.index()
    }

    #[inline]
    fn text<'a>(arg: Self::Arg<'a>) -> &'a str {
        T::VALUES.get(arg.index()).copied().unwrap_or(OTHER)
    }
}

impl LabelType for Text {
    type Arg<'a> = &'a str;
    const VALUES: Option<&'static [&'static str]> = None;

    #[inline]
    fn index(_: Self::Arg<'_>) -> usize {
        0
    }

    #[inline]
    fn text<'a>(arg: Self::Arg<'a>) -> &'a str {
        arg
    }
}

/// How many values a label type has; 0 for free text.
const fn values<L: LabelType>() -> usize {
    match L::VALUES {
        Some(values) => values.len(),
        None => 0,
    }
}

/// A declared family: kind `H` (the handle it gives out) and label types `L` (a tuple).
///
/// Made by [`families!`](crate::families), used as a `static`.
pub struct Family<H: Handle, L> {
    pub(crate) late: LazyFamily<H>,
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
        Self { late: LazyFamily::new(def), labels: PhantomData }
    }

    /// A family of one run of a model.
    #[cfg(all(test, models))]
    pub(crate) fn of_this_run(def: &'static FamilyDef) -> &'static Self {
        Box::leak(Box::new(Self { late: LazyFamily::of_this_run(def), labels: PhantomData }))
    }
}

/// A family without labels: what records by itself, without `with`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this family has labels, and records through `with`",
    label = "a series of the family records, not the family",
    note = "`FAMILY.with(..)` takes a value for each label, in the order of the declaration, and gives the handle of the \
            series: `JOBS.with(\"mail\").increment(1)`"
)]
pub trait Unlabelled {}

impl<H: Handle> Unlabelled for Family<H, ()> {}

/// Never there: a family without labels has no `with`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this family has no labels, and records without `with`",
    label = "there is no label to give a value to",
    note = "`JOBS.increment(1)`; labels are declared behind the name: `counter JOBS = \"compozy_jobs_total\" {{ queue: str }};`"
)]
pub trait Labelled {}

impl<H: Handle, L> Family<H, L> {
    /// Removes all series of the family, as `remove` does with one.
    #[inline]
    pub fn clear(&'static self) {
        self.late.clear();
    }
}

impl<H: Handle> Family<H, ()> {
    #[doc(hidden)]
    pub fn with<V>(&'static self, _: V) -> H
    where
        Self: Labelled,
    {
        self.late.dense(0)
    }
}

impl<H: Handle, L> Family<H, L> {
    /// The handle of a family without labels.
    #[inline]
    pub fn handle(&'static self) -> H
    where
        Self: Unlabelled,
    {
        self.late.dense(0)
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
        self.late.to_record().increment(value);
    }

    /// Raises the counter to a value that was counted elsewhere; a smaller one changes nothing.
    #[inline]
    pub fn absolute(&'static self, value: u64)
    where
        Self: Unlabelled,
    {
        self.late.to_record().absolute(value);
    }
}

impl<L> Family<Gauge, L> {
    /// Adds to the gauge.
    #[doc(alias = "inc")]
    #[doc(alias = "add")]
    #[inline]
    pub fn increment<T: Number>(&'static self, value: T)
    where
        Self: Unlabelled,
    {
        self.late.to_record().increment(value);
    }

    /// Takes from the gauge.
    #[doc(alias = "dec")]
    #[doc(alias = "sub")]
    #[inline]
    pub fn decrement<T: Number>(&'static self, value: T)
    where
        Self: Unlabelled,
    {
        self.late.to_record().decrement(value);
    }

    /// Sets the gauge.
    #[inline]
    pub fn set<T: Number>(&'static self, value: T)
    where
        Self: Unlabelled,
    {
        self.late.to_record().set(value);
    }
}

impl<L> Family<Histogram, L> {
    /// Records one sample, in seconds. A `Duration` is taken as seconds.
    #[doc(alias = "observe")]
    #[inline]
    pub fn record<T: Number>(&'static self, value: T)
    where
        Self: Unlabelled,
    {
        self.late.to_record().record(value);
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
                    self.late.dense(if inside { index } else { OUTSIDE })
                } else {
                    self.late.text(|| [$($label::text($arg)),+])
                }
            }

            $(#[$removed])*
            #[allow(clippy::too_many_arguments)]
            #[inline(always)]
            pub fn remove(&'static self, $($arg: $label::Arg<'_>),+) {
                self.late.remove(|| [$($label::text($arg)),+]);
            }
        }
    };
}

with!(
    /// The handle of the series with this label value.
    A a;
    /// Removes the series with these label values, for what is gone: a session that ended, a queue that was deleted.
    ///
    /// It is not shown any more, and no longer counts for the cap on series. The next record shows it again and begins
    /// at 0, also through a handle that was taken before: drop those first. A record that another thread makes
    /// meanwhile counts wholly before the removal or wholly after it. Nothing happens to a series that is not there.
    ///
    /// While the service is stopped it removes all the same. Workflow code that replays removes nothing.
    ///
    /// Until its first removal a family finds its series without a lock; from then on, free text is looked up under
    /// one, and so is a record into a series of closed sets that was removed before.
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

/// A declared family of any kind and labels: what [`MonitoringService::register`](crate::MonitoringService::register)
/// takes a list of.
pub trait DeclaredFamily: Sync {
    #[doc(hidden)]
    fn declare(&'static self, service: &crate::MonitoringService);
}

impl<H: Handle, L> DeclaredFamily for Family<H, L> {
    fn declare(&'static self, service: &crate::MonitoringService) {
        self.late.declare(service);
    }
}

/// One family, a tuple of them, or a list such as `families!` declares with `pub list`.
pub trait Families {
    #[doc(hidden)]
    fn declare(self, service: &crate::MonitoringService);
}

impl<H: Handle, L> Families for &'static Family<H, L> {
    fn declare(self, service: &crate::MonitoringService) {
        DeclaredFamily::declare(self, service);
    }
}

impl Families for &[&'static dyn DeclaredFamily] {
    fn declare(self, service: &crate::MonitoringService) {
        for family in self {
            family.declare(service);
        }
    }
}

impl<const N: usize> Families for [&'static dyn DeclaredFamily; N] {
    fn declare(self, service: &crate::MonitoringService) {
        self.as_slice().declare(service);
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Families),+> Families for ($($name,)+) {
            #[allow(non_snake_case)]
            fn declare(self, service: &crate::MonitoringService) {
                let ($($name,)+) = self;
                $($name.declare(service);)+
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
