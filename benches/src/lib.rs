//! What the bench targets share: pairs of "ours" and "peer", measured alternately, and a verdict with its confidence.
//!
//! Why not a ready harness: criterion and divan measure one function to its end and then the next, so a drift of the
//! clock or a noisy neighbour falls on one side of a ratio; divan's numbers can only be read off a table; tango-bench does
//! alternate, but between two builds of one function, not between two functions. Here each pair of batches gives one
//! ratio.
//!
//! A *round* is a fresh process (its own address layout and hash seeds) and gives one value a row: the median ratio of
//! its pairs. The row's value is the median of its rounds, and its interval the order statistics around it that hold
//! the true median with 95 % probability, whatever the distribution. A row that is undecided gets more rounds. What
//! this does not average out is the layout of code in the one binary.
//!
//! What takes microseconds is compared by what is *added*: with and without, and the difference counts. Instructions are
//! counted by callgrind, inside the loop only and after a tenth as many operations to warm up; gungraine would do the
//! same, but needs a runner of its very version to be installed, and its counts cannot stand in one table with the times.
//! Callgrind hides the vDSO: a read of the system's clock counts as a system call, about as many instructions outside the
//! kernel, and its time is in the nanoseconds only.

pub mod allocations;
mod instructions;
mod report;

pub use instructions::count_process;

use std::{
    env,
    process::{Command, ExitCode},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use report::{Row, median};

/// The argument that makes this program a round; the number of pairs follows.
const ROUND: &str = "--round";
/// How long one batch takes: long against the clock's own cost, short against a time slice.
const BATCH: Duration = Duration::from_micros(40);
/// The same for several threads, which have to meet first.
const BATCH_OF_THREADS: Duration = Duration::from_millis(1);
/// Operations for which allocations are counted.
const COUNTED: usize = 1_000;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    most_rounds: usize,
    pairs: usize,
    /// How often instructions are counted: only hash seeds differ.
    counts: usize,
}

/// 9 and 17 rounds put the interval on the 2nd and the 5th value from each end.
const QUICK: Effort = Effort { rounds: 9, most_rounds: 9, pairs: 800, counts: 1 };
const FULL: Effort = Effort { rounds: 17, most_rounds: 51, pairs: 2_000, counts: 3 };
/// `cargo test --benches`: that everything runs, no more.
const SMOKE: Effort = Effort { rounds: 1, most_rounds: 1, pairs: 3, counts: 0 };

/// What a row promises.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The greatest value that is good enough; none for a row that only informs.
    pub most: Option<f64>,
    /// Whether ours may not allocate.
    pub no_allocations: bool,
}

impl Target {
    /// At most this value: a ratio of our time to the peer's, or what [`Round::added`] adds.
    #[must_use]
    pub const fn most(value: f64) -> Self {
        Self { most: Some(value), no_allocations: false }
    }

    /// Measured and shown, without a verdict.
    #[must_use]
    pub const fn none() -> Self {
        Self { most: None, no_allocations: false }
    }

    /// And no allocation.
    #[must_use]
    pub const fn without_allocations(mut self) -> Self {
        self.no_allocations = true;
        self
    }
}

/// What this process is there for.
#[derive(Debug)]
enum Task {
    /// So many pairs of each row.
    Time { pairs: usize },
    /// One side of one row so many times, under callgrind.
    Count { row: String, side: usize, times: usize },
}

/// One round: measures each row it is given and reports it.
#[derive(Debug)]
pub struct Round {
    task: Task,
    /// Rows to measure; all when empty.
    only: Vec<String>,
}

impl Round {
    /// Whether some rows are left out.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.only.is_empty() || matches!(self.task, Task::Count { .. })
    }

    /// Whether this round times a row of this name.
    #[must_use]
    pub fn times(&self, name: &str) -> bool {
        matches!(self.task, Task::Time { .. })
            && (self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str())))
    }

    /// Whether a row whose name begins so is timed or counted here: for those that are costly to prepare.
    #[must_use]
    pub fn needs(&self, start: &str) -> bool {
        match &self.task {
            Task::Time { .. } => {
                self.only.is_empty() || self.only.iter().any(|only| start.contains(only) || only.contains(start))
            }
            Task::Count { row, .. } => row.starts_with(start),
        }
    }

    /// Whether this is only a try whether everything runs.
    #[must_use]
    pub fn is_smoke(&self) -> bool {
        matches!(self.task, Task::Time { pairs } if pairs == SMOKE.pairs)
    }

    fn pairs(&self) -> usize {
        match self.task {
            Task::Time { pairs } => pairs,
            Task::Count { .. } => 0,
        }
    }

    /// A ratio of times. The operations get a running number, to vary what they record.
    pub fn pair(&self, name: &str, target: Target, mut ours: impl FnMut(usize), mut peer: impl FnMut(usize)) {
        if !self.times(name) {
            return;
        }
        let samples = sample(self.pairs(), &mut ours, &mut peer);
        let ratio = median(samples.iter().map(|[a, b]| a / b));
        let [a, b] = medians(&samples);
        let allocations = [count_allocations(&mut ours), count_allocations(&mut peer)];
        print_row(name, "ratio", target, [ratio, a, b], allocations);
    }

    /// The nanoseconds, and the allocations, that an operation has with something more than without.
    pub fn added(&self, name: &str, target: Target, mut with: impl FnMut(usize), mut without: impl FnMut(usize)) {
        if !self.times(name) {
            return;
        }
        let samples = sample(self.pairs(), &mut with, &mut without);
        let added = median(samples.iter().map(|[a, b]| a - b));
        let [a, b] = medians(&samples);
        let allocations = count_allocations(&mut with) - count_allocations(&mut without);
        print_row(name, "ns", target, [added, a, b], [allocations, 0.0]);
    }

    /// What ours adds to its bare operation over what the peer adds to its own.
    pub fn overhead(
        &self,
        name: &str,
        target: Target,
        (mut ours, mut bare): (impl FnMut(usize), impl FnMut(usize)),
        (mut peer, mut peer_bare): (impl FnMut(usize), impl FnMut(usize)),
    ) {
        if !self.times(name) {
            return;
        }
        let added = |samples: Vec<[f64; 2]>| median(samples.iter().map(|[a, b]| a - b));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        // In turns, for the same drift on both.
        for _ in 0..4 {
            a.extend(sample(self.pairs().div_ceil(4), &mut ours, &mut bare));
            b.extend(sample(self.pairs().div_ceil(4), &mut peer, &mut peer_bare));
        }
        let (a, b) = (added(a), added(b));
        let allocations = [
            count_allocations(&mut ours) - count_allocations(&mut bare),
            count_allocations(&mut peer) - count_allocations(&mut peer_bare),
        ];
        print_row(name, "overhead", target, [a / b, a, b], allocations);
    }

    /// A ratio of times with several threads at once, which get their number and a running one.
    pub fn threads(
        &self,
        name: &str,
        target: Target,
        threads: usize,
        ours: impl Fn(usize, usize) + Sync,
        peer: impl Fn(usize, usize) + Sync,
    ) {
        if !self.times(name) {
            return;
        }
        let size = |op: &(dyn Fn(usize, usize) + Sync)| {
            let mut n = 1_024;
            while n < 1 << 22 && together(threads, n, op) * (n as f64) < BATCH_OF_THREADS.as_secs_f64() * 1e9 {
                n *= 2;
            }
            n
        };
        let n = [size(&ours), size(&peer)];
        let mut samples = Vec::new();
        for pair in 0..self.pairs().div_ceil(20) {
            let (a, b);
            if pair % 2 == 0 {
                a = together(threads, n[0], &ours);
                b = together(threads, n[1], &peer);
            } else {
                b = together(threads, n[1], &peer);
                a = together(threads, n[0], &ours);
            }
            samples.push([a, b]);
        }
        let [a, b] = medians(&samples);
        print_row(name, "ratio", target, [median(samples.iter().map(|[a, b]| a / b)), a, b], [0.0; 2]);
    }

    /// What an operation costs on each of several threads over what it costs on one.
    pub fn growth(&self, name: &str, target: Target, threads: usize, op: impl Fn(usize, usize) + Sync) {
        self.growth_of(name, target, |threads| together(threads, 1 << 15, &op), threads);
    }

    /// What an operation has with something more than without, on each of several threads over the same on one.
    pub fn added_growth(
        &self,
        name: &str,
        target: Target,
        threads: usize,
        with: impl Fn(usize, usize) + Sync,
        without: impl Fn(usize, usize) + Sync,
    ) {
        let added = |threads| together(threads, 1 << 11, &with) - together(threads, 1 << 11, &without);
        self.growth_of(name, target, added, threads);
    }

    fn growth_of(&self, name: &str, target: Target, cost: impl Fn(usize) -> f64, threads: usize) {
        if !self.times(name) {
            return;
        }
        let samples: Vec<[f64; 2]> = (0..self.pairs().div_ceil(20)).map(|_| [cost(threads), cost(1)]).collect();
        // Of the medians: a difference of two times can be about nothing in one pair.
        let [all, one] = medians(&samples);
        print_row(name, "ratio", target, [all / one, all, one], [0.0; 2]);
    }

    /// A ratio of times of what takes milliseconds: one operation a batch, and so many pairs.
    pub fn slow_pair(&self, name: &str, target: Target, pairs: usize, mut ours: impl FnMut(), mut peer: impl FnMut()) {
        if !self.times(name) {
            return;
        }
        let mut samples = Vec::new();
        for _ in 0..pairs.min(self.pairs()) {
            samples.push([batch(1, &mut |_| ours()), batch(1, &mut |_| peer())]);
        }
        let [a, b] = medians(&samples);
        print_row(name, "ratio", target, [median(samples.iter().map(|[a, b]| a / b)), a, b], [0.0; 2]);
    }

    /// A number that the caller measured, with two that explain it.
    pub fn value(&self, name: &str, unit: &str, target: Target, value: f64, [ours, peer]: [f64; 2]) {
        if self.times(name) {
            print_row(name, unit, target, [value, ours, peer], [0.0; 2]);
        }
    }

    /// The instructions that an operation takes with something more than without, counted over so many operations.
    pub fn instructions(
        &self,
        name: &str,
        target: Target,
        times: usize,
        with: impl FnMut(usize),
        without: impl FnMut(usize),
    ) {
        self.counted(name, "instructions", target, times, (with, without), (|_| (), |_| ()));
    }

    /// As [`Self::overhead`], in instructions.
    pub fn instructions_overhead(
        &self,
        name: &str,
        target: Target,
        times: usize,
        ours: (impl FnMut(usize), impl FnMut(usize)),
        peer: (impl FnMut(usize), impl FnMut(usize)),
    ) {
        self.counted(name, "instructions-overhead", target, times, ours, peer);
    }

    fn counted(
        &self,
        name: &str,
        unit: &str,
        target: Target,
        times: usize,
        (mut a, mut b): (impl FnMut(usize), impl FnMut(usize)),
        (mut c, mut d): (impl FnMut(usize), impl FnMut(usize)),
    ) {
        match &self.task {
            Task::Count { row, side, times } if row == name => match side {
                0 => warm_and_repeat(*times, &mut a),
                1 => warm_and_repeat(*times, &mut b),
                2 => warm_and_repeat(*times, &mut c),
                _ => warm_and_repeat(*times, &mut d),
            },
            Task::Count { .. } => {}
            Task::Time { .. } if self.times(name) => {
                println!("count {name} {unit} {} {times}", target.most.unwrap_or(f64::NAN));
                if self.is_smoke() {
                    repeat(2, &mut a);
                    repeat(2, &mut b);
                    repeat(2, &mut c);
                    repeat(2, &mut d);
                }
            }
            Task::Time { .. } => {}
        }
    }
}

/// The report of one row whose pairs the caller measured: the ratio of the first to the second.
pub fn report_pairs(name: &str, unit: &str, target: Target, pairs: &[[f64; 2]]) {
    let mut row = Row::new(name, unit, target.most, false);
    pairs.iter().for_each(|[ours, peer]| row.add(ours / peer, [*ours, *peer], [0.0; 2]));
    report::print(&[row]);
}

fn print_row(name: &str, unit: &str, target: Target, [value, a, b]: [f64; 3], allocations: [f64; 2]) {
    let (most, strict) = (target.most.unwrap_or(f64::NAN), u8::from(target.no_allocations));
    println!("row {name} {unit} {most} {strict} {value} {a} {b} {} {}", allocations[0], allocations[1]);
}

/// Batches of one and the other in turns, in nanoseconds an operation.
fn sample(pairs: usize, ours: &mut impl FnMut(usize), peer: &mut impl FnMut(usize)) -> Vec<[f64; 2]> {
    // Warm: caches, branch predictors, and whatever resolves on first use.
    let n = [batch_size(ours), batch_size(peer)];
    let mut samples = Vec::with_capacity(pairs);
    for pair in 0..pairs {
        let (a, b);
        if pair % 2 == 0 {
            a = batch(n[0], ours);
            b = batch(n[1], peer);
        } else {
            b = batch(n[1], peer);
            a = batch(n[0], ours);
        }
        samples.push([a, b]);
    }
    samples
}

fn medians(samples: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|side| median(samples.iter().map(|sample| sample[side])))
}

/// Nanoseconds an operation.
#[inline(never)]
fn batch(n: usize, op: &mut impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    for i in 0..n {
        op(i);
    }
    start.elapsed().as_secs_f64() * 1e9 / n as f64
}

/// Warms up, and runs what callgrind counts.
fn warm_and_repeat(n: usize, op: &mut impl FnMut(usize)) {
    repeat(n.div_ceil(10), op);
    collected(n, op);
}

/// The function that callgrind is told to look at.
#[inline(never)]
fn collected(n: usize, op: &mut impl FnMut(usize)) {
    repeat(n, op);
}

/// For callgrind: the loop is the same whatever it runs, and is kept when that is nothing. It reads its end anew each time,
/// else the compiler counts down where `op` lets it, which is one instruction less.
#[inline(never)]
fn repeat(n: usize, op: &mut impl FnMut(usize)) {
    let end = AtomicUsize::new(n);
    std::hint::black_box(&end);
    let mut i = 0;
    while i < end.load(Ordering::Relaxed) {
        op(i);
        std::hint::black_box(());
        i += 1;
    }
}

fn batch_size(op: &mut impl FnMut(usize)) -> usize {
    let mut n = 16;
    while n < 1 << 20 && batch(n, op) * (n as f64) < BATCH.as_secs_f64() * 1e9 {
        n *= 2;
    }
    n
}

/// Nanoseconds an operation on each of several threads that run it at the same time: the mean of theirs.
#[must_use]
pub fn together(threads: usize, n: usize, op: &(dyn Fn(usize, usize) + Sync)) -> f64 {
    let barrier = Barrier::new(threads);
    let one = |thread: usize| {
        barrier.wait();
        let start = Instant::now();
        for i in 0..n {
            op(thread, i);
        }
        start.elapsed().as_secs_f64() * 1e9 / n as f64
    };
    let one = &one;
    std::thread::scope(|scope| {
        let spawned: Vec<_> = (1..threads).map(|thread| scope.spawn(move || one(thread))).collect();
        let mine = one(0);
        let others: f64 = spawned.into_iter().filter_map(|thread| thread.join().ok()).sum();
        (mine + others) / threads as f64
    })
}

/// Samples over all buckets, in an order that no branch predictor knows at first: log-uniform from 1 ms to 20 s.
#[must_use]
pub fn samples() -> [f64; 1024] {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        0.001 * 20_000f64.powf((state >> 11) as f64 / (1u64 << 53) as f64)
    })
}

fn count_allocations(op: &mut impl FnMut(usize)) -> f64 {
    allocations::count(|| (0..COUNTED).for_each(op)) as f64 / COUNTED as f64
}

/// The `main` of a bench target: `--quick` finishes in about a minute, any other word picks the rows that contain it.
pub fn run(round: impl FnOnce(&Round)) -> ExitCode {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|number| number.parse().ok());
    if let Some(first) = args.first() {
        if first == ROUND {
            let pairs = number(1).unwrap_or(SMOKE.pairs);
            round(&Round { task: Task::Time { pairs }, only: args.split_off(2) });
            return ExitCode::SUCCESS;
        }
        if let (instructions::COUNT, Some(row), Some(side), Some(times)) =
            (first.as_str(), args.get(1), number(2), number(3))
        {
            let task = Task::Count { row: row.clone(), side, times };
            round(&Round { task, only: Vec::new() });
            return ExitCode::SUCCESS;
        }
    }
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let effort = match (has("--bench"), has("--quick")) {
        (false, _) => SMOKE,
        (true, true) => QUICK,
        (true, false) => FULL,
    };
    let filter: Vec<String> = args.iter().filter(|arg| !arg.starts_with('-')).cloned().collect();
    match collect(effort, &filter) {
        Ok(rows) => {
            report::print(&rows);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn collect(effort: Effort, filter: &[String]) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = Vec::new();
    let mut counts = Vec::new();
    for _ in 0..effort.rounds {
        counts = one_round(effort.pairs, filter, &mut rows)?;
    }
    for _ in effort.rounds..effort.most_rounds {
        let open: Vec<String> =
            rows.iter().filter(|row| row.verdict() == "inconclusive").map(|row| row.name.clone()).collect();
        if open.is_empty() {
            break;
        }
        one_round(effort.pairs, &open, &mut rows)?;
    }
    if effort.counts > 0 && !counts.is_empty() {
        if instructions::is_there() {
            for count in &counts {
                rows.push(instructions::row(count, effort.counts)?);
            }
        } else {
            eprintln!("bench: no valgrind on the path: {} rows of instructions are left out", counts.len());
        }
    }
    Ok(rows)
}

/// Runs one round, adds what it timed, and gives the rows that are to be counted.
fn one_round(pairs: usize, only: &[String], rows: &mut Vec<Row>) -> Result<Vec<instructions::Count>, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(this)
        .args([ROUND, &pairs.to_string()])
        .args(only)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("a round ended with {}", output.status));
    }
    let mut counts = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let bad = || format!("not a row: {line}");
        let words: Vec<&str> = line.split(' ').collect();
        let numbers: Vec<f64> = words.iter().skip(3).filter_map(|word| word.parse().ok()).collect();
        match (words.as_slice(), numbers.as_slice()) {
            (["row", name, unit, ..], &[most, strict, value, ours, peer, our_allocations, peer_allocations]) => {
                let at = rows.iter().position(|row| row.name == *name).unwrap_or_else(|| {
                    rows.push(Row::new(name, unit, Some(most).filter(|most| !most.is_nan()), strict != 0.0));
                    rows.len() - 1
                });
                rows[at].add(value, [ours, peer], [our_allocations, peer_allocations]);
            }
            (["count", name, unit, ..], &[most, times]) => {
                let most = Some(most).filter(|most| !most.is_nan());
                counts.push(instructions::Count {
                    name: (*name).to_owned(),
                    unit: (*unit).to_owned(),
                    most,
                    times: times as usize,
                });
            }
            _ => return Err(bad()),
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: allocations::Counting<std::alloc::System> = allocations::Counting(std::alloc::System);

    #[test]
    fn allocations_of_this_thread_are_counted_and_only_while_asked() {
        let counted = allocations::count(|| drop(std::hint::black_box(vec![1u8])));
        assert_eq!((counted, allocations::count(|| ())), (1, 0));
    }

    #[test]
    fn what_is_added_is_the_difference() {
        let work = |times: u64| move |_: usize| (0..times).for_each(|i| _ = std::hint::black_box(i));
        let samples = sample(20, &mut work(2_000), &mut work(1_000));
        let [with, without] = medians(&samples);
        assert!(with > without, "{with} {without}");
    }
}
