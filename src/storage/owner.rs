//! Which family owns a name, and what a look-up of a name finds.

use std::sync::Arc;

use super::{
    counter::CounterCell,
    declared::DeclaredFamily,
    gauge::GaugeCell,
    histogram::HistogramCell,
    undeclared::{Undeclared, UndeclaredFamilies},
};
use crate::schema::family::{FamilyDef, Kind};

/// The family that owns a name.
#[derive(Clone, Debug)]
pub enum Owner {
    /// A declared counter.
    Counter(Arc<DeclaredFamily<CounterCell>>),
    /// A declared gauge.
    Gauge(Arc<DeclaredFamily<GaugeCell>>),
    /// A declared histogram.
    Histogram(Arc<DeclaredFamily<HistogramCell>>),
    /// A family without a declaration.
    Undeclared(UndeclaredFamilies),
}

impl Owner {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram(_) => Kind::Histogram,
            Self::Undeclared(families) => families.kind(),
        }
    }

    /// How many look-ups were over the cap, and how many samples were dropped since the last call.
    pub(crate) fn losses(&self) -> (u64, u64) {
        match self {
            Self::Counter(family) => (family.overflowed(), family.take_dropped()),
            Self::Gauge(family) => (family.overflowed(), family.take_dropped()),
            Self::Histogram(family) => (family.overflowed(), family.take_dropped()),
            Self::Undeclared(families) => (families.overflowed(), families.take_dropped()),
        }
    }
}

/// A kind of value that a store can hold.
pub trait Stored: Undeclared {
    #[doc(hidden)]
    fn own(family: Arc<DeclaredFamily<Self>>) -> Owner;
    #[doc(hidden)]
    fn owned(owner: &Owner) -> Option<&Arc<DeclaredFamily<Self>>>;
}

macro_rules! stored {
    ($cell:ty, $kind:ident) => {
        impl Stored for $cell {
            fn own(family: Arc<DeclaredFamily<Self>>) -> Owner {
                Owner::$kind(family)
            }

            fn owned(owner: &Owner) -> Option<&Arc<DeclaredFamily<Self>>> {
                match owner {
                    Owner::$kind(family) => Some(family),
                    _ => None,
                }
            }
        }
    };
}

stored!(CounterCell, Counter);
stored!(GaugeCell, Gauge);
stored!(HistogramCell, Histogram);

/// What a look-up of a name found.
#[derive(Debug)]
pub(crate) enum Lookup<C: Stored> {
    Declared(Arc<DeclaredFamily<C>>),
    Undeclared(UndeclaredFamilies),
    /// The name belongs to another kind.
    Taken(Kind),
    /// The name is a new one, and there are as many as there may be.
    Full,
}

impl<C: Stored> Lookup<C> {
    pub(super) fn of(owner: &Owner) -> Self {
        match (C::owned(owner), owner) {
            (Some(family), _) => Self::Declared(family.clone()),
            (None, Owner::Undeclared(families)) if families.kind() == C::KIND => Self::Undeclared(families.clone()),
            (None, owner) => Self::Taken(owner.kind()),
        }
    }

    /// Whether the name belongs to this very declaration.
    pub(crate) fn is_of(&self, def: &'static FamilyDef) -> bool {
        matches!(self, Self::Declared(own) if std::ptr::eq(own.def, def))
    }
}
