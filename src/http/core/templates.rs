//! The route templates that a middleware has seen, and the series of each.

use std::sync::OnceLock;

use http::StatusCode;

use super::labels::{method_label, status_label};
use crate::{
    builtin::catalogue::{HTTP_DURATION, HTTP_REQUESTS, Method},
    schema::{family::ClosedLabel, names::own_name},
    storage::{
        counter::{CounterCell, CounterOp},
        histogram::{HistogramCell, HistogramOp},
        resolved::Resolved,
        store::Store,
        text_map::{Entry, TextMap},
    },
};

/// Places for templates that are found by their address.
const RECENT: usize = 64;
/// How many different status codes of one template and method are kept; further ones are looked up each time.
const KEPT_STATUSES: usize = 8;

/// A template whose text all requests of a route share. The text has one address as long as a clone of the template is kept.
pub(crate) trait SharedText: Clone {
    fn text(&self) -> &str;
}

/// What a request is counted under.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a, T> {
    Template(&'a T),
    Text(&'a str),
}

/// The templates of one middleware. `T` is a template as the framework has it, `K` what it keeps of each.
#[derive(Debug)]
pub(crate) struct Templates<T, K> {
    all: TextMap<Template<K>>,
    recent: [Place<T, K>; RECENT],
}

/// A template that is found by its address. Its text is kept, so that nothing else can come to lie there.
type Place<T, K> = OnceLock<(T, Entry<Template<K>>)>;

/// What is kept of one template: its series by method.
#[derive(Debug, Default)]
pub(crate) struct Template<K> {
    methods: [OnceLock<Box<Series>>; Method::VALUES.len()],
    pub(crate) kept: K,
}

/// The series of one template and method.
#[derive(Debug)]
struct Series {
    duration: Resolved<HistogramCell>,
    requests: [OnceLock<(StatusCode, Resolved<CounterCell>)>; KEPT_STATUSES],
}

/// A request that was answered, or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) method: Method,
    pub(crate) status: StatusCode,
    pub(crate) seconds: f64,
}

impl<T: SharedText, K: Default> Templates<T, K> {
    /// With room for as many as a family may have series.
    pub(crate) fn new(cap: Option<usize>) -> Self {
        Self { all: TextMap::new(cap), recent: [const { OnceLock::new() }; RECENT] }
    }

    /// What is kept of a template, made when it is first seen. `None` at the cap: then each request looks up its series.
    pub(crate) fn get_or_insert(&self, template: &str) -> Option<&Entry<Template<K>>> {
        self.all.get_or_insert(template)
    }

    /// What the framework keeps of each template.
    #[cfg(feature = "http-poem")]
    pub(crate) fn kept(&self) -> impl Iterator<Item = &K> {
        self.all.values().map(|template| &template.kept)
    }

    /// Finds a template by the address of its text. In poem, not one of a nested route: that has a new text for each request.
    #[inline]
    pub(crate) fn recent(&self, template: &T) -> Option<&Template<K>> {
        let (kept, found) = self.recent.get(place(template.text()))?.get()?;
        std::ptr::eq(kept.text(), template.text()).then_some(&found.cell)
    }

    /// The place of a template that is found by the address of its text. The template stays in its place.
    #[cfg(feature = "http-tower")]
    #[inline]
    pub(crate) fn place(&self, text: &str) -> Option<usize> {
        let place = place(text);
        std::ptr::eq(self.in_place(place)?.text(), text).then_some(place)
    }

    /// The template in a place.
    #[cfg(feature = "http-tower")]
    #[inline]
    pub(crate) fn in_place(&self, place: usize) -> Option<&T> {
        Some(&self.recent.get(place)?.get()?.0)
    }

    /// Makes a template one that is found by its address, unless its place is taken.
    pub(crate) fn keep(&self, template: &T, found: &Entry<Template<K>>) {
        if let Some(place) = self.recent.get(place(template.text())) {
            place.get_or_init(|| (template.clone(), found.clone()));
        }
    }

    /// Counts a request if its template, method and status were seen before. Says whether it did.
    #[inline]
    pub(crate) fn record_known(&self, template: &str, outcome: Outcome) -> bool {
        self.all.get(template).is_some_and(|template| template.record_known(outcome))
    }
}

/// The one place in which a template with this text can be.
#[inline]
fn place(text: &str) -> usize {
    let address = text.as_ptr().addr();
    (address >> 4 ^ address >> 10) % RECENT
}

impl<K> Template<K> {
    /// Counts a request if its method and status were seen before. Says whether it did: never for a skipped template, for which
    /// no series are kept.
    #[inline(always)]
    pub(crate) fn record_known(&self, Outcome { method, status, seconds }: Outcome) -> bool {
        let Some(series) = self.methods.get(method.index()).and_then(OnceLock::get) else { return false };
        let known = series.requests.iter().map_while(OnceLock::get).find(|(known, _)| *known == status);
        let Some((_, requests)) = known else { return false };
        series.duration.apply(HistogramOp { value: seconds, times: 1 });
        requests.apply(CounterOp::Increment(1));
        true
    }
}

/// Counts a request under a label, and keeps the series with the template while there is room.
///
/// A series is looked up before it is put in its place, and not while the place is locked. The look-up can log, and a log line
/// can make a request of its own, which needs the same place. The two families are tried apart: if one is at fault, the
/// other is still counted.
pub(crate) fn record_first<K>(store: &Store, template: Option<&Template<K>>, label: &str, outcome: Outcome) {
    let Outcome { method, status, seconds } = outcome;
    let place = template.and_then(|template| template.methods.get(method.index()));
    let _ = store.diagnostics.catch_and_report(own_name!("http_request_duration_seconds"), || {
        let find = || HTTP_DURATION.lazy.series_in(store, &[method_label(method), label]);
        let sample = HistogramOp { value: seconds, times: 1 };
        let Some(place) = place else { return find().apply(sample) };
        if place.get().is_none() {
            let requests = [const { OnceLock::new() }; KEPT_STATUSES];
            let _ = place.set(Box::new(Series { duration: find(), requests }));
        }
        place.get().into_iter().for_each(|series| series.duration.apply(sample));
    });
    let _ = store.diagnostics.catch_and_report(own_name!("http_requests_total"), || {
        let one = CounterOp::Increment(1);
        let mut own = HTTP_REQUESTS.lazy.series_in(store, &[method_label(method), label, status_label(&status)]);
        for place in place.and_then(OnceLock::get).iter().flat_map(|series| &series.requests) {
            // `set` gives the series back if the place is taken: by another status, or by a request at the same time.
            match place.set((status, own)) {
                Ok(()) => return place.get().into_iter().for_each(|(_, requests)| requests.apply(one)),
                Err((_, back)) => own = back,
            }
            if let Some((known, requests)) = place.get()
                && *known == status
            {
                return requests.apply(one);
            }
        }
        own.apply(one);
    });
}
