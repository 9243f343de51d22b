//! Two or three threads in every order in which they can meet, and in every view of memory that relaxed atomics allow, up
//! to the bounds below. Each model is small: what it leaves out, the tests with real threads have.
//!
//! `loom` runs the threads of a model in turn, on one thread of the machine, so that they share its thread-locals: no model
//! enters a scope.

use std::sync::Arc;

use loom::{model::Builder, thread};
use metrics::{Key, Label};

use crate::{
    Counter,
    builtin::new_store,
    dispatch::{instance::set_global_store, switch},
    exposition::text::render,
    facade::{family::Family, handles::Site},
    schema::family::{FamilyDef, Kind, LabelDef, Text},
    storage::{
        cell::{Apply, Cell, Maker},
        counter::{CounterCell, CounterOp},
        dense::Slot,
        gauge::{GaugeCell, GaugeOp},
        histogram::{HistogramCell, HistogramOp},
        series::Series,
        store::Store,
        text_family::{Place, TextFamily},
    },
    support::sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// How often a thread may be interrupted although it could go on. In practice two or three find every fault.
const PREEMPTIONS: usize = 3;

/// Tries every order.
fn all(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    let counted = runs.clone();
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    let runs = runs.load(Relaxed);
    // With one order only, a model shows nothing.
    assert!(runs > 1, "{runs} orders");
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{name}: {runs} orders\n"));
}

static LABELS: [LabelDef; 1] = [LabelDef::of::<Text>("path")];

fn table(cap: usize) -> Arc<TextFamily<CounterCell>> {
    TextFamily::new(&LABELS, cap, Maker::default())
}

const ONE: CounterOp = CounterOp::Increment(1);

/// The series of a value, as a handle finds it when it is taken.
fn taken(table: &TextFamily<CounterCell>, value: &str) -> Arc<Series<CounterCell>> {
    table.own(&[value]).unwrap_or_else(|| table.over(&[value])).series()
}

fn count(table: &TextFamily<CounterCell>, value: &str) {
    taken(table, value).apply(ONE);
}

/// The text and value of each series, as a scrape has them.
fn shown(table: &TextFamily<CounterCell>) -> Vec<(String, u64)> {
    let (sorted, overflow) = table.sorted();
    let mut all: Vec<_> = sorted.iter().map(|(text, series)| (text.to_owned(), series.cell.get())).collect();
    all.extend(overflow.map(|series| (series.label_text.to_string(), series.cell.get())));
    all
}

fn total(table: &TextFamily<CounterCell>) -> u64 {
    shown(table).iter().map(|(_, value)| value).sum()
}

fn value(table: &TextFamily<CounterCell>, wanted: &str) -> u64 {
    let text = format!("path=\"{wanted}\"");
    shown(table).iter().filter(|(shown, _)| *shown == text).map(|(_, value)| value).sum()
}

#[test]
fn a_race_to_the_cap_makes_no_series_more_and_loses_no_record() {
    all(PREEMPTIONS, || {
        let table = table(1);
        let other = table.clone();
        let thread = thread::spawn(move || count(&other, "a"));
        count(&table, "b");
        thread.join().unwrap();
        assert_eq!((table.len(), total(&table)), (1, 2));
        assert_eq!((value(&table, "other"), table.overflowed()), (1, 1));
    });
}

#[test]
fn a_first_sighting_by_two_threads_makes_one_series() {
    all(PREEMPTIONS, || {
        let table = table(10);
        let other = table.clone();
        let thread = thread::spawn(move || count(&other, "a"));
        count(&table, "a");
        thread.join().unwrap();
        assert_eq!((table.len(), value(&table, "a")), (1, 2));
    });
}

#[test]
fn a_reader_during_an_insert_finds_the_series_or_makes_it_and_there_are_never_two() {
    all(PREEMPTIONS, || {
        let table = table(2);
        let other = table.clone();
        let thread = thread::spawn(move || {
            count(&other, "a");
            count(&other, "b");
        });
        // As a call site does: without the lock first.
        match table.ready(&["b"]) {
            Some(place) => place.series().apply(ONE),
            None => count(&table, "b"),
        }
        thread.join().unwrap();
        assert_eq!((table.len(), value(&table, "a"), value(&table, "b")), (2, 1, 2));
    });
}

#[test]
fn a_level_that_is_being_made_hides_nothing() {
    all(2, || {
        let table = table(100);
        // Half of the first level: the next one goes to a new level.
        (0..8).for_each(|i| count(&table, &i.to_string()));
        let other = table.clone();
        let thread = thread::spawn(move || count(&other, "new"));
        assert!(matches!(table.ready(&["3"]), Some(Place::Kept(_))), "what was there is there");
        count(&table, "new");
        thread.join().unwrap();
        assert_eq!((table.len(), value(&table, "new"), value(&table, "3")), (9, 2, 1));
    });
}

#[test]
fn what_a_full_table_holds_never_goes_to_the_overflow_series() {
    all(PREEMPTIONS, || {
        let table = table(2);
        count(&table, "z");
        let other = table.clone();
        let thread = thread::spawn(move || {
            count(&other, "a");
            count(&other, "b");
        });
        // Whoever comes first has room for `a`; `b` is one too many.
        match table.ready(&["a"]) {
            Some(place) => place.series().apply(ONE),
            None => count(&table, "a"),
        }
        thread.join().unwrap();
        assert_eq!((value(&table, "a"), value(&table, "other"), table.overflowed()), (2, 1, 1));
    });
}

#[test]
fn a_series_that_comes_while_the_exposition_sorts_is_in_this_scrape_or_the_next() {
    all(PREEMPTIONS, || {
        let table = table(10);
        count(&table, "m");
        let other = table.clone();
        let thread = thread::spawn(move || {
            count(&other, "a");
            count(&other, "z");
        });
        let texts = || table.sorted().0.iter().map(|(text, _)| text.to_owned()).collect::<Vec<_>>();
        let first = texts();
        assert!(first.contains(&"path=\"m\"".to_owned()) && first.is_sorted(), "{first:?}");
        thread.join().unwrap();
        assert_eq!(texts(), ["path=\"a\"", "path=\"m\"", "path=\"z\""]);
    });
}

#[test]
fn neither_of_two_scrapes_at_once_misses_a_series_that_was_there_before() {
    all(2, || {
        let table = table(10);
        count(&table, "m");
        let (first, second) = (table.clone(), table.clone());
        let has_m = |table: &TextFamily<CounterCell>| table.sorted().0.iter().any(|(text, _)| text == "path=\"m\"");
        let scrape = thread::spawn(move || assert!(has_m(&first), "lost to the other scrape"));
        let insert = thread::spawn(move || count(&second, "a"));
        assert!(has_m(&table), "lost to the other scrape");
        scrape.join().unwrap();
        insert.join().unwrap();
        assert_eq!(table.sorted().0.iter().map(|(_, series)| series.cell.get()).collect::<Vec<_>>(), [1, 1]);
    });
}

#[test]
fn a_scrape_beside_the_first_removal_has_what_stays_and_what_is_folded() {
    all(PREEMPTIONS, || {
        let table = table(2);
        ["goes", "stays", "over the cap"].into_iter().for_each(|value| count(&table, value));
        let other = table.clone();
        let thread = thread::spawn(move || other.remove(&["goes"]));
        let shown = shown(&table);
        for text in ["path=\"stays\"", "path=\"other\""] {
            assert_eq!(shown.iter().filter(|(shown, _)| shown == text).count(), 1, "{shown:?}");
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_record_beside_the_first_removal_is_before_it_or_shows_the_series_again() {
    all(2, || {
        let table = table(10);
        count(&table, "a");
        count(&table, "b");
        let kept = taken(&table, "a");
        let other = table.clone();
        let thread = thread::spawn(move || _ = other.remove(&["a"]));
        kept.apply(ONE);
        thread.join().unwrap();
        let seen = value(&table, "a");
        assert!(seen <= 1, "{seen}: what was removed is not shown");
        kept.apply(ONE);
        count(&table, "a");
        assert_eq!((value(&table, "a"), value(&table, "b"), table.len()), (seen + 2, 1, 2));
    });
}

#[test]
fn a_first_sighting_beside_the_first_removal_is_not_lost() {
    all(2, || {
        let table = table(10);
        count(&table, "a");
        let other = table.clone();
        let thread = thread::spawn(move || _ = other.remove(&["a"]));
        match table.ready(&["b"]) {
            Some(place) => place.series().apply(ONE),
            None => count(&table, "b"),
        }
        thread.join().unwrap();
        assert_eq!(shown(&table), [("path=\"b\"".to_owned(), 1)]);
        count(&table, "b");
        assert_eq!((shown(&table), table.len()), (vec![("path=\"b\"".to_owned(), 2)], 1));
    });
}

#[test]
fn a_removal_beside_a_full_table_loses_no_record_and_frees_one_place() {
    all(2, || {
        let table = table(1);
        count(&table, "a");
        let other = table.clone();
        let thread = thread::spawn(move || _ = other.remove(&["a"]));
        count(&table, "b");
        thread.join().unwrap();
        // In the place that was free by then, or folded.
        assert_eq!((total(&table), table.len() <= 1), (1, true), "{:?}", shown(&table));
        count(&table, "b");
        count(&table, "c");
        assert_eq!((total(&table), table.len()), (3, 1), "{:?}", shown(&table));
        assert!(value(&table, "b") >= 1 && value(&table, "other") >= 1);
    });
}

#[test]
fn two_first_removals_are_one_change_and_both_remove() {
    all(2, || {
        let table = table(10);
        ["a", "b", "c"].iter().for_each(|value| count(&table, value));
        let other = table.clone();
        let thread = thread::spawn(move || _ = other.remove(&["a"]));
        table.remove(&["b"]);
        thread.join().unwrap();
        assert_eq!((shown(&table), table.len()), (vec![("path=\"c\"".to_owned(), 1)], 1));
    });
}

#[test]
fn a_record_through_a_kept_handle_beside_a_clear_and_a_new_series_is_in_one_series() {
    all(2, || {
        let table = table(10);
        let kept = taken(&table, "a");
        table.clear();
        let other = table.clone();
        let thread = thread::spawn(move || {
            count(&other, "a");
            other.clear();
            count(&other, "a");
        });
        kept.apply(ONE);
        thread.join().unwrap();
        let shown = shown(&table);
        assert!(shown.len() == 1 && (1..=2).contains(&shown[0].1), "{shown:?}");
    });
}

#[test]
fn a_sample_beside_the_removal_of_its_place_is_forgotten_as_a_whole_or_shown_as_a_whole() {
    all(2, || {
        let slot = Arc::new(Slot::<HistogramCell>::default());
        let sample = HistogramOp { value: 0.5, times: 1 };
        slot.apply(sample);
        let (first, second) = (slot.clone(), slot.clone());
        let record = thread::spawn(move || first.apply(sample));
        let removal = thread::spawn(move || _ = second.remove());
        slot.apply(sample);
        record.join().unwrap();
        removal.join().unwrap();
        let (count, sum) = slot.shown().map_or((0, 0.0), |cell| (cell.cumulative()[11], cell.sum()));
        assert!(count <= 2 && sum == count as f64 * 0.5, "{count} samples, {sum}");
        slot.apply(sample);
        let shown = slot.shown().expect("recorded after the removal");
        assert_eq!((shown.cumulative()[11], shown.sum()), (count + 1, (count + 1) as f64 * 0.5));
    });
}

#[test]
fn two_removals_of_one_place_and_a_record_leave_it_whole() {
    all(2, || {
        let slot = Arc::new(Slot::<CounterCell>::default());
        let other = slot.clone();
        let thread = thread::spawn(move || {
            other.remove();
            other.apply(ONE);
        });
        slot.remove();
        thread.join().unwrap();
        let seen = slot.shown().map_or(0, |cell| cell.get());
        assert!(seen <= 1);
        slot.apply(ONE);
        assert_eq!(slot.shown().map(|cell| cell.get()), Some(seen + 1));
    });
}

#[test]
fn additions_of_floats_lose_nothing() {
    all(PREEMPTIONS, || {
        let cells = Arc::new((GaugeCell::default(), HistogramCell::default()));
        let other = cells.clone();
        let thread = thread::spawn(move || {
            other.0.apply(GaugeOp::Add(1.0));
            other.1.apply(HistogramOp { value: 0.5, times: 2 });
        });
        cells.0.apply(GaugeOp::Add(2.0));
        cells.1.apply(HistogramOp { value: 0.25, times: 1 });
        thread.join().unwrap();
        assert_eq!((cells.0.get(), cells.1.sum(), cells.1.cumulative()[11]), (3.0, 1.25, 3));
    });
}

#[test]
fn the_in_flight_gauge_is_never_negative_and_ends_at_zero() {
    all(2, || {
        let gauge = Arc::new(GaugeCell::default());
        let request = |gauge: Arc<GaugeCell>| {
            move || {
                gauge.apply(GaugeOp::Add(1.0));
                gauge.apply(GaugeOp::Add(-1.0));
            }
        };
        let threads = [thread::spawn(request(gauge.clone())), thread::spawn(request(gauge.clone()))];
        let seen = gauge.get();
        assert!((0.0..=2.0).contains(&seen), "{seen}");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(gauge.get(), 0.0);
    });
}

#[test]
fn a_counter_that_spreads_under_its_records_loses_none_and_never_falls() {
    all(2, || {
        let cell = Arc::new(CounterCell::default());
        let count = |cell: Arc<CounterCell>| {
            move || {
                cell.apply(ONE);
                cell.apply(ONE);
            }
        };
        let threads = [thread::spawn(count(cell.clone())), thread::spawn(count(cell.clone()))];
        let other = cell.clone();
        let scrapes = thread::spawn(move || {
            let first = other.get();
            let second = other.get();
            assert!(first <= second && second <= 4, "{first}, then {second}");
        });
        scrapes.join().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(cell.get(), 4);
    });
}

#[test]
fn absolute_values_beside_increments_of_a_spread_counter_are_each_a_floor() {
    all(2, || {
        let cell = Arc::new(CounterCell::default());
        cell.apply(ONE);
        cell.spread_now();
        let other = cell.clone();
        let raise = thread::spawn(move || other.apply(CounterOp::Absolute(5)));
        let other = cell.clone();
        let count = thread::spawn(move || other.apply(ONE));
        cell.apply(CounterOp::Absolute(5));
        assert!(cell.get() >= 5);
        raise.join().unwrap();
        count.join().unwrap();
        let seen = cell.get();
        // The increment came before the raise to 5, or on top of it.
        assert!(seen == 5 || seen == 6, "{seen}");
    });
}

#[test]
fn a_histogram_that_spreads_under_its_samples_loses_none_and_never_falls() {
    all(2, || {
        let cell = Arc::new(HistogramCell::default());
        let other = cell.clone();
        let thread = thread::spawn(move || other.apply(HistogramOp { value: 0.5, times: 2 }));
        cell.apply(HistogramOp { value: 0.5, times: 2 });
        // The sum alone: all buckets are too much for every order.
        let first = cell.sum();
        let second = cell.sum();
        assert!(first <= second && second <= 2.0, "{first}, then {second}");
        thread.join().unwrap();
        assert_eq!((cell.cumulative()[11], cell.sum()), (4, 2.0));
    });
}

#[test]
fn pairs_over_two_threads_are_never_seen_below_zero_while_a_gauge_gets_lanes() {
    all(2, || {
        let cell = Arc::new(GaugeCell::default());
        let (first, second) = (cell.clone(), cell.clone());
        let up = thread::spawn(move || first.apply(GaugeOp::Add(1.0)));
        let spread = thread::spawn(move || second.spread_now());
        let other = cell.clone();
        let scrape = thread::spawn(move || {
            let seen = other.get();
            assert!((0.0..=1.0).contains(&seen), "{seen}");
        });
        // On another thread than it came on.
        up.join().unwrap();
        cell.apply(GaugeOp::Add(-1.0));
        spread.join().unwrap();
        scrape.join().unwrap();
        assert_eq!(cell.get(), 0.0);
    });
}

#[test]
fn pairs_over_two_lanes_are_never_seen_below_zero_or_above_what_there_is() {
    all(2, || {
        let cell = Arc::new(GaugeCell::default());
        cell.spread_now();
        let (first, second) = (cell.clone(), cell.clone());
        let pairs = thread::spawn(move || {
            first.apply(GaugeOp::Add(1.0));
            let other = first.clone();
            thread::spawn(move || other.apply(GaugeOp::Add(-1.0))).join().unwrap();
            first.apply(GaugeOp::Add(1.0));
        });
        let scrape = thread::spawn(move || {
            let seen = second.get();
            assert!((0.0..=1.0).contains(&seen), "{seen}");
        });
        let seen = cell.get();
        assert!((0.0..=1.0).contains(&seen), "{seen}");
        pairs.join().unwrap();
        scrape.join().unwrap();
        assert_eq!(cell.get(), 1.0);
    });
}

#[test]
fn a_set_beside_pairs_that_end_in_lanes_is_whole() {
    all(2, || {
        let cell = Arc::new(GaugeCell::default());
        cell.spread_now();
        let other = cell.clone();
        let pair = thread::spawn(move || {
            other.apply(GaugeOp::Add(1.0));
            other.apply(GaugeOp::Add(-1.0));
        });
        cell.apply(GaugeOp::Set(5.0));
        let now = cell.get();
        pair.join().unwrap();
        let seen = cell.get();
        // Before the set, after it, or up before and down after.
        assert!(seen == 5.0 || seen == 4.0, "{seen}");
        assert!(now == seen || now == seen + 1.0, "{now}, then {seen}");
    });
}

#[test]
fn two_sets_of_a_gauge_with_lanes_leave_one_of_both_values() {
    all(2, || {
        let cell = Arc::new(GaugeCell::default());
        cell.apply(GaugeOp::Add(1.0));
        cell.spread_now();
        cell.apply(GaugeOp::Add(1.0));
        let (first, second) = (cell.clone(), cell.clone());
        let set = thread::spawn(move || first.apply(GaugeOp::Set(5.0)));
        let up = thread::spawn(move || second.apply(GaugeOp::Add(0.5)));
        cell.apply(GaugeOp::Set(7.0));
        set.join().unwrap();
        up.join().unwrap();
        let seen = cell.get();
        assert!([5.0, 5.5, 7.0, 7.5].contains(&seen), "{seen}");
    });
}

#[test]
fn a_set_beside_the_making_of_lanes_takes_what_came_before_it_and_leaves_what_came_after() {
    all(3, || {
        let cell = Arc::new(GaugeCell::default());
        let (first, second) = (cell.clone(), cell.clone());
        let set = thread::spawn(move || first.apply(GaugeOp::Set(5.0)));
        let pair = thread::spawn(move || {
            second.spread_now();
            second.apply(GaugeOp::Add(1.0));
            second.apply(GaugeOp::Add(-1.0));
        });
        set.join().unwrap();
        pair.join().unwrap();
        let seen = cell.get();
        assert!(seen == 5.0 || seen == 4.0, "{seen}");
    });
}

#[test]
fn a_set_beside_lanes_that_open_later_replaces_no_step_that_came_after_one_it_left() {
    all(3, || {
        let cell = Arc::new(GaugeCell::default());
        let other = cell.clone();
        let set = thread::spawn(move || other.apply(GaugeOp::Set(5.0)));
        // To a lane, to the base, to a lane.
        for step in [1.0, 0.5, 2.0] {
            cell.spread_now();
            cell.apply(GaugeOp::Add(step));
        }
        set.join().unwrap();
        let seen = cell.get();
        assert!([5.0, 7.0, 7.5, 8.5].contains(&seen), "{seen}");
    });
}

#[test]
fn cells_that_two_threads_make_at_once_lose_no_sample_and_both_histograms_agree() {
    all(1, || {
        let cell = Arc::new(HistogramCell::default());
        let record = |cell: &HistogramCell, value| cell.apply(HistogramOp { value, times: 1 });
        let other = cell.clone();
        // One for a cell that is to be made, and one that a classic bound cuts off.
        let thread = thread::spawn(move || [0.5, 0.0101].map(|value| record(&other, value)));
        record(&cell, 0.6);
        let seen = cell.read(true);
        thread.join().unwrap();
        let all = cell.read(true);
        for reading in [&seen, &all] {
            let native: u64 = reading.native.positive.iter().map(|(_, count)| count).sum();
            assert_eq!(reading.cumulative[11], native);
        }
        assert!(seen.cumulative.iter().zip(&all.cumulative).all(|(seen, all)| seen <= all), "{seen:?}, then {all:?}");
        assert_eq!(all.cumulative[11], 3);
    });
}

/// The lines of an exposition that are about one name.
fn lines(store: &Store, name: &str) -> Vec<String> {
    let text = render(store);
    text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

fn record(store: &Store, name: &'static str, path: &'static str) {
    let key = Key::from_parts(name, vec![Label::new("path", path)]);
    store.resolve::<CounterCell>(&key).apply(CounterOp::Increment(1));
}

#[test]
fn an_open_family_has_no_series_more_than_its_cap_and_loses_no_record() {
    all(2, || {
        let store = new_store(1);
        record(&store, "lib_total", "a");
        let other = store.clone();
        let thread = thread::spawn(move || record(&other, "lib_total", "b"));
        record(&store, "lib_total", "c");
        record(&store, "lib_total", "a");
        thread.join().unwrap();
        assert_eq!(lines(&store, "lib_total"), ["lib_total{path=\"a\"} 2", "lib_total{path=\"other\"} 2"]);
    });
}

#[test]
fn an_open_family_that_two_threads_meet_first_is_one() {
    all(2, || {
        let store = new_store(1);
        let other = store.clone();
        let thread = thread::spawn(move || record(&other, "lib_total", "a"));
        record(&store, "lib_total", "b");
        thread.join().unwrap();
        let lines = lines(&store, "lib_total");
        let total: u64 = lines.iter().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!((lines.len(), total), (2, 2), "{lines:?}");
        assert!(lines.iter().any(|line| line == "lib_total{path=\"other\"} 1"), "one series more: {lines:?}");
    });
}

#[test]
fn open_names_have_a_cap_that_a_race_does_not_pass() {
    // Two, in a build of models.
    all(2, || {
        let store = new_store(1);
        record(&store, "lib_a_total", "x");
        let other = store.clone();
        let thread = thread::spawn(move || record(&other, "lib_b_total", "x"));
        record(&store, "lib_c_total", "x");
        record(&store, "lib_a_total", "x");
        thread.join().unwrap();
        let lines = lines(&store, "lib_");
        assert_eq!((lines.len(), lines[0].as_str()), (2, "lib_a_total{path=\"x\"} 2"), "{lines:?}");
        assert_eq!(
            self::lines(&store, "compozy_monitoring_overflowed_series_total"),
            ["compozy_monitoring_overflowed_series_total 1"]
        );
    });
}

/// Starts the process's one service as far as records see it.
fn start() -> Arc<Store> {
    let store = new_store(2);
    set_global_store(store.clone());
    switch::set_global(true);
    store
}

#[test]
fn a_call_site_that_two_threads_meet_first_keeps_one_series() {
    all(2, || {
        let store = start();
        let site = Site::<Counter>::of_this_run("compozy_model_total");
        let thread = thread::spawn(|| site.handle().increment(1));
        site.handle().increment(1);
        thread.join().unwrap();
        site.handle().increment(1);
        assert_eq!(lines(&store, "compozy_model_total"), ["compozy_model_total 3"]);
    });
}

#[test]
fn a_handle_that_is_found_while_the_service_stops_and_starts_counts_where_it_did() {
    all(2, || {
        let store = start();
        let site = Site::<Counter>::of_this_run("compozy_model_total");
        let thread = thread::spawn(|| {
            switch::set_global(false);
            switch::set_global(true);
        });
        site.handle().increment(1);
        thread.join().unwrap();
        // That record may have been counted or not. Those from here on are counted.
        let first = lines(&store, "compozy_model_total");
        let first: u64 = first.first().map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap());
        site.handle().increment(1);
        site.handle().increment(1);
        let expected = first + 2;
        assert_eq!(lines(&store, "compozy_model_total"), [format!("compozy_model_total {expected}")]);
    });
}

static DEF: FamilyDef = FamilyDef::new("compozy_model_total", "A model.", Kind::Counter, &LABELS, None, "models");

#[test]
fn a_declared_family_that_two_threads_meet_first_is_one_and_keeps_its_cap() {
    all(2, || {
        let store = start();
        let family = Family::<Counter, (Text,)>::of_this_run(&DEF);
        let thread = thread::spawn(|| {
            family.with("a").increment(1);
            family.with("b").increment(1);
        });
        family.with("a").increment(1);
        thread.join().unwrap();
        family.with("c").increment(1);
        let expected = ["{path=\"a\"} 2", "{path=\"b\"} 1", "{path=\"other\"} 1"];
        assert_eq!(lines(&store, "compozy_model_total"), expected.map(|line| format!("compozy_model_total{line}")));
    });
}

/// That the models can fail at all: a check and an act without a lock between them.
#[test]
#[should_panic(expected = "one series more")]
fn a_check_before_an_insert_is_seen_to_be_wrong() {
    all(2, || {
        let room = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let insert = |room: Arc<(AtomicU64, AtomicU64)>| {
            move || {
                if room.0.load(Relaxed) < 1 {
                    room.0.fetch_add(1, Relaxed);
                    room.1.fetch_add(1, Relaxed);
                }
            }
        };
        let thread = thread::spawn(insert(room.clone()));
        insert(room.clone())();
        thread.join().unwrap();
        assert_eq!(room.1.load(Relaxed), 1, "one series more");
    });
}
