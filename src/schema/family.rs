//! What a family is before anything is stored: its name, help, kind and labels.

pub use super::names::Kind;
use super::{buckets::bounds_of_unit, limits::OTHER, text::begins};

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

/// The definition of a family.
#[derive(Debug)]
#[cfg_attr(not(feature = "prometheus"), allow(dead_code))]
pub struct FamilyDef {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [LabelDef],
    /// The upper bounds of a histogram, without `+Inf`.
    pub(crate) bounds: &'static [f64],
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
        buckets: Option<&'static [f64]>,
        module: &'static str,
    ) -> Self {
        let bounds = match (kind, buckets) {
            (Kind::Histogram, Some(given)) => given,
            (Kind::Histogram, None) => match bounds_of_unit(name) {
                Some(bounds) => bounds,
                None => &[],
            },
            _ => &[],
        };
        Self { name, help, kind, labels, bounds, module }
    }
}

#[cfg(feature = "prometheus")]
impl FamilyDef {
    /// The labels, by place, whose values are outside their closed sets.
    pub(crate) fn invalid_labels(&self, values: &[&str]) -> Vec<usize> {
        let is_invalid = |label: &LabelDef, value| label.values.is_some_and(|known| !known.contains(value));
        let places = self.labels.iter().zip(values).enumerate();
        places.filter(|(_, (label, value))| is_invalid(label, value)).map(|(place, _)| place).collect()
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
/// `families! { .. { task_type: TaskType { Basic = "basic" } } }` declares such an enum. For an enum of your own,
/// implement this trait, and name the enum without braces.
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

/// Free text as a label value. It is sanitised, and the family caps its series. Written `str` in `families!`.
#[derive(Clone, Copy, Debug)]
pub struct Text;

/// The type of a label: a [`ClosedLabel`] or [`Text`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no set of label values",
    label = "expected `str` or a closed set",
    note = "a label is free text, written `str`, or a closed set: `queue: Queue {{ Mail = \"mail\", Sms = \"sms\" }}`",
    note = "yes and no are a closed set too: `cached: Cached {{ Yes = \"true\", No = \"false\" }}`",
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

// Otherwise the compiler lists closed sets of this crate.
#[diagnostic::do_not_recommend]
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
