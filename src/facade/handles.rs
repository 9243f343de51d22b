//! The handles that macros and families give out, and what a call site keeps.

use metrics::{Key, Label};

use super::family::FamilyDef;
use crate::{
    MonitoringService, Number,
    dispatch::switch::{self, GLOBAL, Target},
    storage::{
        Resolved, Store,
        cell::{Apply, Cell, CounterCell, CounterOp, GaugeCell, GaugeOp, HistogramCell, HistogramOp, Slot},
        store::{FamilyIn, Table},
        text_family::{Place, TextFamily},
        text_table::Series,
    },
    support::sync::OnceLock,
};

/// Whether this build records anything.
pub const COMPILED: bool = true;

/// Whether a record made now would go anywhere: only then are computed labels evaluated.
#[inline]
pub fn is_on() -> bool {
    match switch::load_for_handle() {
        0 => false,
        GLOBAL => true,
        _ => switch::is_on_here(),
    }
}

/// A handle of one kind.
pub trait Handle: Sized + 'static {
    #[doc(hidden)]
    type Cell: Cell;
    #[doc(hidden)]
    fn wrap(binding: Binding<Self::Cell>) -> Self;
    #[doc(hidden)]
    fn into_binding(self) -> Binding<Self::Cell>;
}

/// What a handle stands for.
#[derive(Debug)]
pub enum Binding<C: Cell> {
    /// Nothing.
    Off,
    /// A call site with literal labels: asks at every record.
    Site(&'static SiteCore<C>),
    /// A series of a declared family with closed labels: asks at every record.
    LazyFamily(&'static LazyFamilyCore<C>, usize),
    /// A series of the global service.
    Kept(&'static Series<C>),
    /// Taken while monitoring was off, with labels that nobody kept: says so when it records after the start.
    Early(&'static Early),
    /// A series of the global service that can be removed.
    Counted(Held<Series<C>>),
    /// Whatever the labels led to, or a handle of the `metrics` crate.
    Elsewhere(Held<Elsewhere<C>>),
}

/// What has to be dropped: one pointer, by value, out of line. A call site whose handle needs no drop must not keep it in
/// memory for one, which would cost a disabled record more than its loads and branches.
#[derive(Debug)]
pub struct Held<T>(Option<std::sync::Arc<T>>);

/// A series that is not in a `static`.
#[derive(Debug)]
pub enum Elsewhere<C: Cell> {
    Resolved(ResolvedBox<C>),
    Raw(C::Raw),
}

impl<T> Held<T> {
    fn new(held: T) -> Self {
        Self(Some(std::sync::Arc::new(held)))
    }
}

impl<C: Cell> Held<Elsewhere<C>> {
    fn resolved(series: Resolved<C>, target: &Target) -> Self {
        match series {
            Resolved::Nothing => Self(None),
            series => {
                Self::new(Elsewhere::Resolved(ResolvedBox { series, global: matches!(target, Target::Global(_)) }))
            }
        }
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Drop for Held<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            drop_held(held);
        }
    }
}

#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "Rust on both sides: `extern \"C\"` only says that it does not unwind")]
extern "C" fn drop_held<T>(held: std::sync::Arc<T>) {
    switch::discard_held(held);
}

impl<C: Cell> Apply<C> for Elsewhere<C> {
    fn apply(&self, op: C::Op) {
        match self {
            Self::Resolved(resolved) => resolved.series.apply(op),
            Self::Raw(raw) => C::apply_raw(raw, op),
        }
    }
}

/// What computed labels led to, and in whose storage.
#[derive(Debug)]
pub struct ResolvedBox<C: Cell> {
    series: Resolved<C>,
    /// In the global service's: silent while that is off. A scope's series takes what its handle gives it.
    global: bool,
}

impl<C: Cell> Clone for Binding<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Off => Self::Off,
            Self::Site(site) => Self::Site(site),
            Self::LazyFamily(late, index) => Self::LazyFamily(late, *index),
            Self::Kept(series) => Self::Kept(series),
            Self::Early(early) => Self::Early(early),
            Self::Counted(held) => Self::Counted(held.clone()),
            Self::Elsewhere(held) => Self::Elsewhere(held.clone()),
        }
    }
}

impl<C: Cell> Binding<C> {
    // Inlined whatever its size: the variant is known where a call site made it, and one arm remains. What a call site
    // makes while monitoring is off is looked at first and by itself, so that the compiler follows it to its end and does
    // not join it with what is made while it is on.
    #[inline(always)]
    fn record(&self, op: C::Op) {
        match self {
            // Known where labels were not even looked at: then the byte has been read already.
            Self::Off => return,
            Self::Early(early) => return early.record(),
            _ => {}
        }
        let state = switch::load_for_record();
        if state == 0 {
            return;
        }
        match self {
            Self::Off | Self::Early(_) => {}
            Self::Site(site) => site.record(state, op),
            Self::LazyFamily(late, index) => late.record(state, *index, op),
            Self::Kept(series) => {
                if state & GLOBAL != 0 {
                    series.apply(op);
                }
            }
            Self::Counted(held) => {
                if let Some(series) = &held.0 {
                    record_counted(series, state, op);
                }
            }
            Self::Elsewhere(held) => {
                if let Some(held) = &held.0 {
                    record_elsewhere(held, state, op);
                }
            }
        }
    }

    fn into_raw(self) -> C::Raw {
        match self {
            Self::Off => C::raw_noop(),
            Self::Elsewhere(mut held) => match held.0.take() {
                None => C::raw_noop(),
                Some(held) => match &*held {
                    Elsewhere::Raw(raw) => raw.clone(),
                    Elsewhere::Resolved(_) => C::raw_from(held),
                },
            },
            late => C::raw_from(std::sync::Arc::new(AsTarget(late))),
        }
    }
}

/// As with [`Binding::Kept`]; out of line, as only families that removed something have such handles.
#[inline(never)]
extern "C" fn record_counted<C: Cell>(series: &Series<C>, state: u8, op: C::Op) {
    if state & GLOBAL != 0 {
        series.apply(op);
    }
}

/// Where the handle itself is a pointer to follow.
#[inline(never)]
extern "C" fn record_elsewhere<C: Cell>(held: &Elsewhere<C>, state: u8, op: C::Op) {
    switch::catch_panic(|| match held {
        Elsewhere::Resolved(resolved) => {
            if !resolved.global || state & GLOBAL != 0 {
                resolved.series.apply(op);
            }
        }
        // Somebody else's handle: silent, like the macros, where nothing records.
        Elsewhere::Raw(raw) => {
            if is_on() {
                C::apply_raw(raw, op);
            }
        }
    });
}

/// A late handle behind a handle of the `metrics` crate.
struct AsTarget<C: Cell>(Binding<C>);

impl<C: Cell> Apply<C> for AsTarget<C> {
    fn apply(&self, op: C::Op) {
        self.0.record(op);
    }
}

/// What a handle knows that was taken while monitoring was off: its family, or where it was taken.
#[derive(Debug)]
pub struct Early(&'static str);

impl Early {
    /// The name of the family; of one with a computed name, the call site.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// A handle that is taken now.
    #[inline(always)]
    pub fn handle<H: Handle>(&'static self) -> H {
        H::wrap(Binding::Early(self))
    }

    /// Only asks whether anybody records, which costs less than who.
    #[inline(always)]
    fn record(&self) {
        if switch::is_anybody_on() {
            self.lost();
        }
    }

    /// For `extern "C"` see [`state::contained`].
    #[cold]
    #[inline(never)]
    extern "C" fn lost(&self) {
        if switch::load_for_record() == 0 {
            return;
        }
        switch::catch_panic(|| {
            if let Some(store) = switch::target().store() {
                let _ = switch::catch_and_report(self.0, store, || store.health.early(self.0));
            }
        });
    }
}

/// A call site with literal name and labels: resolves once and keeps what it found.
#[derive(Debug)]
pub struct SiteCore<C: Cell> {
    key: Key,
    kept: OnceLock<Resolved<C>>,
}

impl<C: Cell> SiteCore<C> {
    #[inline(always)]
    fn record(&'static self, state: u8, op: C::Op) {
        if switch::is_global(state)
            && let Some(kept) = self.kept.get()
        {
            kept.apply(op);
        } else {
            self.record_slow(op);
        }
    }

    /// Makes the series, so that it is there, at 0, before anything is recorded.
    #[inline(always)]
    fn take(&'static self) {
        let state = switch::load_for_handle();
        if state != 0 && (state != GLOBAL || self.kept.get().is_none()) {
            self.take_slow();
        }
    }

    #[cold]
    #[inline(never)]
    extern "C" fn take_slow(&'static self) {
        switch::catch_panic(|| {
            let target = switch::target();
            let is_global = matches!(target, Target::Global(_));
            let Some(store) = target.store().filter(|_| !is_global || self.kept.get().is_none()) else { return };
            let found = switch::catch_and_report(self.key.name(), store, || store.present(&self.key));
            // What is refused the first record is told.
            if let Some(found) = found.filter(|found| is_global && !matches!(found, Resolved::Nothing)) {
                self.kept.get_or_init(|| found);
            }
        });
    }

    #[cold]
    #[inline(never)]
    extern "C" fn record_slow(&'static self, op: C::Op) {
        switch::catch_panic(|| {
            let target = switch::target();
            let Some(store) = target.store() else { return };
            let _ = switch::catch_and_report(self.key.name(), store, || {
                // Resolved before it is kept: a fault logs, and a subscriber may come back to this very site.
                let resolved = store.resolve(&self.key);
                match target {
                    Target::Global(_) => self.kept.get_or_init(|| resolved).apply(op),
                    _ => resolved.apply(op),
                }
            });
        });
    }
}

/// What `counter!` and its like put into a `static`.
#[derive(Debug)]
pub struct Site<H: Handle>(SiteCore<H::Cell>);

impl<H: Handle> Site<H> {
    /// A call site of this name with these labels.
    #[must_use]
    pub const fn new(name: &'static str, labels: &'static [Label]) -> Self {
        Self(SiteCore { key: Key::from_static_parts(name, labels), kept: OnceLock::new() })
    }

    /// A call site of one run of a model.
    #[cfg(all(test, models))]
    pub(crate) fn of_this_run(name: &'static str) -> &'static Self {
        let core = SiteCore { key: Key::from_static_name(name), kept: OnceLock::default() };
        Box::leak(Box::new(Self(core)))
    }

    /// The handle, which asks the site at every record.
    #[inline]
    pub fn handle(&'static self) -> H {
        self.0.take();
        H::wrap(Binding::Site(&self.0))
    }
}

/// A family in a `static`, found in the storage when it is first touched while monitoring is on.
#[derive(Debug)]
pub struct LazyFamilyCore<C: Cell> {
    def: &'static FamilyDef,
    early: Early,
    kept: OnceLock<Kept<C>>,
}

/// A family of the global service.
#[derive(Debug)]
enum Kept<C: Cell> {
    Dense(std::sync::Arc<[Slot<C>]>),
    Text(std::sync::Arc<TextFamily<C>>),
    /// Another kind's, or one that nobody declared: asked for at each look-up.
    Elsewhere,
}

/// What free text leads to while monitoring is on. A call site sees from the type which handles cannot come back from there,
/// and that an early one is always its own.
enum Found<C: Cell> {
    Kept(&'static Series<C>),
    Counted(Held<Series<C>>),
    Elsewhere(Held<Elsewhere<C>>),
}

impl<C: Cell> LazyFamilyCore<C> {
    #[inline(always)]
    fn record(&'static self, state: u8, index: usize, op: C::Op) {
        if switch::is_global(state)
            && let Some(Kept::Dense(slots)) = self.kept.get()
            && let Some(slot) = slots.get(index)
        {
            slot.apply(op);
        } else {
            self.record_slow(index, op);
        }
    }

    #[cold]
    #[inline(never)]
    extern "C" fn record_slow(&'static self, index: usize, op: C::Op) {
        switch::catch_panic(|| {
            let target = switch::target();
            let Some(store) = target.store() else { return };
            let _ = switch::catch_and_report(self.def.name, store, || {
                self.series(&target, store, &self.values(index)).apply(op)
            });
        });
    }

    /// The label values that a place in the dense table stands for.
    fn values(&self, index: usize) -> Vec<&'static str> {
        if index == OUTSIDE {
            // What no set contains, so that the family puts it where it puts such values.
            return vec!["\0"; self.def.labels.len()];
        }
        self.def.values_at(index)
    }

    fn series(&'static self, target: &Target, store: &Store, values: &[&str]) -> Resolved<C> {
        // As at a call site: found before it is kept.
        let family = store.family(self.def);
        let series = store.series_of(&family, values);
        self.keep(target, &family);
        series
    }

    fn keep(&'static self, target: &Target, family: &FamilyIn<C>) {
        if matches!(target, Target::Global(_)) {
            self.kept.get_or_init(|| match family {
                FamilyIn::Own(family) => match &family.table {
                    Table::Dense(dense) => Kept::Dense(dense.slots().clone()),
                    Table::Text(text) => Kept::Text(text.clone()),
                },
                FamilyIn::Forward(_) | FamilyIn::Refused => Kept::Elsewhere,
            });
        }
    }

    /// As [`SiteCore::take`], for a family of closed sets.
    #[inline(always)]
    fn take(&'static self) {
        let state = switch::load_for_handle();
        if state != 0 && (state != GLOBAL || self.kept.get().is_none()) {
            self.take_slow();
        }
    }

    #[cold]
    #[inline(never)]
    extern "C" fn take_slow(&'static self) {
        switch::catch_panic(|| {
            let target = switch::target();
            let is_global = matches!(target, Target::Global(_));
            let Some(store) = target.store().filter(|_| !is_global || self.kept.get().is_none()) else { return };
            let _ = switch::catch_and_report(self.def.name, store, || self.keep(&target, &store.look_up(self.def)));
        });
    }

    /// A series whose labels are free text, resolved now; the values are not even lined up while monitoring is off.
    #[inline(always)]
    fn text<'a, const N: usize>(&'static self, values: impl FnOnce() -> [&'a str; N]) -> Binding<C> {
        let state = switch::load_for_handle();
        match if state == 0 { None } else { self.text_on(state, &values()) } {
            None => Binding::Early(&self.early),
            Some(Found::Kept(series)) => Binding::Kept(series),
            Some(Found::Counted(series)) => Binding::Counted(series),
            Some(Found::Elsewhere(held)) => Binding::Elsewhere(held),
        }
    }

    /// Nothing where nobody records.
    #[inline(never)]
    fn text_on(&'static self, state: u8, values: &[&str]) -> Option<Found<C>> {
        if switch::is_global(state)
            && let Some(Kept::Text(text)) = self.kept.get()
        {
            match text.ready(values) {
                Some(Place::Kept(series)) => return Some(Found::Kept(series)),
                Some(Place::Counted(series)) => return Some(Found::Counted(Held(Some(series)))),
                None => {}
            }
        }
        self.text_slow(values)
    }

    #[cold]
    #[inline(never)]
    fn text_slow(&'static self, values: &[&str]) -> Option<Found<C>> {
        let target = switch::target();
        let store = target.store()?;
        // The handle is made in there too: it allocates.
        let find = || Held::resolved(self.series(&target, store, values), &target);
        Some(Found::Elsewhere(switch::catch_and_report(self.def.name, store, find).unwrap_or(Held(None))))
    }

    #[inline(always)]
    fn remove<'a, const N: usize>(&'static self, values: impl FnOnce() -> [&'a str; N]) {
        if switch::can_remove() {
            self.remove_slow(Some(&values()));
        }
    }

    #[inline(never)]
    fn remove_slow(&'static self, values: Option<&[&str]>) {
        let target = switch::target_to_remove();
        if let Some(store) = target.store() {
            let _ = switch::catch_and_report(self.def.name, store, || store.remove::<C>(self.def, values));
        }
    }
}

/// The place of a value that its closed set does not have.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// What a [`Family`](crate::Family) keeps.
#[derive(Debug)]
pub struct LazyFamily<H: Handle>(LazyFamilyCore<H::Cell>);

impl<H: Handle> LazyFamily<H> {
    pub(crate) const fn new(def: &'static FamilyDef) -> Self {
        Self(LazyFamilyCore { def, early: Early(def.name), kept: OnceLock::new() })
    }

    /// A family of one run of a model.
    #[cfg(all(test, models))]
    pub(crate) fn of_this_run(def: &'static FamilyDef) -> Self {
        Self(LazyFamilyCore { def, early: Early(def.name), kept: OnceLock::default() })
    }

    pub(crate) fn def(&self) -> &'static FamilyDef {
        self.0.def
    }

    #[inline(always)]
    pub(crate) fn dense(&'static self, index: usize) -> H {
        self.0.take();
        H::wrap(Binding::LazyFamily(&self.0, index))
    }

    /// For a record of a family without labels: that shows the series by itself, unless its thread is muted.
    #[inline(always)]
    pub(crate) fn to_record(&'static self) -> H {
        if switch::CAN_MUTE {
            self.0.take();
        }
        H::wrap(Binding::LazyFamily(&self.0, 0))
    }

    #[inline(always)]
    pub(crate) fn text<'a, const N: usize>(&'static self, values: impl FnOnce() -> [&'a str; N]) -> H {
        H::wrap(self.0.text(values))
    }

    #[inline(always)]
    pub(crate) fn remove<'a, const N: usize>(&'static self, values: impl FnOnce() -> [&'a str; N]) {
        self.0.remove(values);
    }

    pub(crate) fn clear(&'static self) {
        if switch::can_remove() {
            self.0.remove_slow(None);
        }
    }

    pub(crate) fn declare(&'static self, service: &MonitoringService) {
        if let Some(store) = service.store() {
            let _ = switch::catch_and_report(self.0.def.name, store, || store.family::<H::Cell>(self.0.def));
        }
    }

    /// The handle of one series in the storage of one service, whatever scope this is.
    #[cfg(any(feature = "http-poem", feature = "temporal"))]
    pub(crate) fn series_in(&self, store: &Store, values: &[&str]) -> Resolved<H::Cell> {
        store.series_of(&store.family(self.0.def), values)
    }
}

/// The handle of a key with computed labels. One pointer comes back, in a register: a call site need not keep its handle in
/// memory for the state in which it is not made here.
#[inline(always)]
pub fn resolve<H: Handle>(key: &Key) -> H {
    H::wrap(Binding::Elsewhere(resolve_held(key)))
}

#[inline(never)]
fn resolve_held<C: Cell>(key: &Key) -> Held<Elsewhere<C>> {
    let target = switch::target();
    let Some(store) = target.store() else { return Held(None) };
    let find = || Held::resolved(store.resolve::<C>(key), &target);
    switch::catch_and_report(key.name(), store, find).unwrap_or(Held(None))
}

/// The recorder of a muted thread: its handles are ours, and so silent as long as their thread is muted.
#[cfg(feature = "temporal")]
#[derive(Debug)]
pub(crate) struct Muting;

#[cfg(feature = "temporal")]
impl Muting {
    fn register<H: Handle>(key: &Key) -> <H::Cell as Cell>::Raw {
        let handle = resolve::<H>(key).into_binding();
        <H::Cell>::raw_from(std::sync::Arc::new(AsTarget(handle)))
    }
}

#[cfg(feature = "temporal")]
impl metrics::Recorder for Muting {
    fn describe_counter(&self, name: metrics::KeyName, unit: Option<metrics::Unit>, text: metrics::SharedString) {
        describe(|recorder| recorder.describe_counter(name, unit, text));
    }

    fn describe_gauge(&self, name: metrics::KeyName, unit: Option<metrics::Unit>, text: metrics::SharedString) {
        describe(|recorder| recorder.describe_gauge(name, unit, text));
    }

    fn describe_histogram(&self, name: metrics::KeyName, unit: Option<metrics::Unit>, text: metrics::SharedString) {
        describe(|recorder| recorder.describe_histogram(name, unit, text));
    }

    fn register_counter(&self, key: &Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        Self::register::<Counter>(key)
    }

    fn register_gauge(&self, key: &Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        Self::register::<Gauge>(key)
    }

    fn register_histogram(&self, key: &Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        Self::register::<Histogram>(key)
    }
}

/// Runs a description against the service that records here.
pub fn describe(run: impl FnOnce(&dyn metrics::Recorder)) {
    if let Some(store) = switch::target().store() {
        let recorder = crate::storage::StoreRecorder(store.clone());
        let _ = switch::catch_and_report("describe", store, || run(&recorder));
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $cell:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[must_use = "a handle does nothing until it records"]
        pub struct $name(Binding<$cell>);

        impl $name {
            /// A handle that records nothing.
            pub const fn noop() -> Self {
                Self(Binding::Off)
            }
        }

        impl Handle for $name {
            type Cell = $cell;
            #[inline]
            fn wrap(binding: Binding<$cell>) -> Self {
                Self(binding)
            }
            fn into_binding(self) -> Binding<$cell> {
                self.0
            }
        }

        impl From<metrics::$name> for $name {
            fn from(raw: metrics::$name) -> Self {
                Self(Binding::Elsewhere(Held::new(Elsewhere::Raw(raw))))
            }
        }

        impl From<$name> for metrics::$name {
            fn from(handle: $name) -> Self {
                handle.0.into_raw()
            }
        }
    };
}

handle!(
    /// A counter handle. It reads one byte at every record, so it is silent while monitoring is off.
    Counter,
    CounterCell
);
handle!(
    /// A gauge handle. It reads one byte at every record, so it is silent while monitoring is off.
    Gauge,
    GaugeCell
);
handle!(
    /// A histogram handle. It reads one byte at every record, so it is silent while monitoring is off.
    Histogram,
    HistogramCell
);

impl Counter {
    /// Adds to the counter.
    #[inline]
    pub fn increment(&self, value: u64) {
        self.0.record(CounterOp::Increment(value));
    }

    /// Raises the counter to a value that was counted elsewhere; a smaller one changes nothing.
    #[inline]
    pub fn absolute(&self, value: u64) {
        self.0.record(CounterOp::Absolute(value));
    }
}

impl Gauge {
    /// Adds to the gauge.
    #[inline]
    pub fn increment<T: Number>(&self, value: T) {
        self.0.record(GaugeOp::Add(value.to_f64()));
    }

    /// Takes from the gauge.
    #[inline]
    pub fn decrement<T: Number>(&self, value: T) {
        self.0.record(GaugeOp::Add(-value.to_f64()));
    }

    /// Sets the gauge.
    #[inline]
    pub fn set<T: Number>(&self, value: T) {
        self.0.record(GaugeOp::Set(value.to_f64()));
    }
}

impl Histogram {
    /// Records one sample; in a `_seconds` family, in seconds. A `Duration` is taken as seconds.
    #[inline]
    pub fn record<T: Number>(&self, value: T) {
        self.0.record(HistogramOp { value: value.to_f64(), times: 1 });
    }

    /// Records the same sample several times.
    #[inline]
    pub fn record_many<T: Number>(&self, value: T, count: usize) {
        if count > 0 {
            self.0.record(HistogramOp { value: value.to_f64(), times: count as u64 });
        }
    }
}
