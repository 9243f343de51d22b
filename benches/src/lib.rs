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

pub mod allocations;

use std::{
    env,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

/// The argument that makes this program a round; the number of pairs follows.
const ROUND: &str = "--round";
/// How long one batch takes: long against the clock's own cost, short against a time slice.
const BATCH: Duration = Duration::from_micros(40);
/// Operations for which allocations are counted.
const COUNTED: usize = 1_000;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    most_rounds: usize,
    pairs: usize,
}

/// 9 and 17 rounds put the interval on the 2nd and the 5th value from each end.
const QUICK: Effort = Effort { rounds: 9, most_rounds: 9, pairs: 800 };
const FULL: Effort = Effort { rounds: 17, most_rounds: 51, pairs: 2_000 };
/// `cargo test --benches`: that everything runs, no more.
const SMOKE: Effort = Effort { rounds: 1, most_rounds: 1, pairs: 3 };

/// What a row promises.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The greatest ratio of our time to the peer's that is good enough; none for a row that only informs.
    pub ratio: Option<f64>,
    /// Whether ours may not allocate.
    pub no_allocations: bool,
}

impl Target {
    /// At most this ratio.
    #[must_use]
    pub const fn ratio(ratio: f64) -> Self {
        Self { ratio: Some(ratio), no_allocations: false }
    }

    /// Measured and shown, without a verdict.
    #[must_use]
    pub const fn none() -> Self {
        Self { ratio: None, no_allocations: false }
    }

    /// And no allocation.
    #[must_use]
    pub const fn without_allocations(mut self) -> Self {
        self.no_allocations = true;
        self
    }
}

/// One round: measures each pair it is given and reports it.
#[derive(Debug)]
pub struct Round {
    pairs: usize,
    /// Rows to measure; all when empty.
    only: Vec<String>,
}

impl Round {
    /// Whether some rows are left out.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.only.is_empty()
    }

    /// Measures one row. The operations get a running number, to vary what they record.
    pub fn pair(&self, name: &str, target: Target, mut ours: impl FnMut(usize), mut peer: impl FnMut(usize)) {
        if !self.only.is_empty() && !self.only.iter().any(|only| name.contains(only.as_str())) {
            return;
        }
        // Warm: caches, branch predictors, and whatever resolves on first use.
        let n = [batch_size(&mut ours), batch_size(&mut peer)];
        let per_op = |time: Duration, n: usize| time.as_secs_f64() * 1e9 / n as f64;
        let mut samples: [Vec<f64>; 3] = Default::default();
        for pair in 0..self.pairs {
            let (a, b);
            if pair % 2 == 0 {
                a = per_op(batch(n[0], &mut ours), n[0]);
                b = per_op(batch(n[1], &mut peer), n[1]);
            } else {
                b = per_op(batch(n[1], &mut peer), n[1]);
                a = per_op(batch(n[0], &mut ours), n[0]);
            }
            for (samples, value) in samples.iter_mut().zip([a / b, a, b]) {
                samples.push(value);
            }
        }
        let [ratio, a, b] = samples.map(|mut samples| median(&mut samples));
        let allocations = [
            allocations::count(|| (0..COUNTED).for_each(&mut ours)),
            allocations::count(|| (0..COUNTED).for_each(&mut peer)),
        ]
        .map(|count| count as f64 / COUNTED as f64);
        let limit = target.ratio.unwrap_or(f64::NAN);
        let strict = u8::from(target.no_allocations);
        println!("{name} {limit} {strict} {ratio} {a} {b} {} {}", allocations[0], allocations[1]);
    }
}

#[inline(never)]
fn batch(n: usize, op: &mut impl FnMut(usize)) -> Duration {
    let start = Instant::now();
    for i in 0..n {
        op(i);
    }
    start.elapsed()
}

fn batch_size(op: &mut impl FnMut(usize)) -> usize {
    let mut n = 64;
    while n < 1 << 20 && batch(n, op) < BATCH {
        n *= 2;
    }
    n
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// How many values to leave out at each end of a sorted sample, so that the rest holds the median with at least 95 %
/// probability; none when the sample is too small for that.
fn cut(n: usize) -> Option<usize> {
    // Terms of the binomial distribution with one half: how many values lie below the median.
    let mut term = 0.5f64.powi(i32::try_from(n).ok()?);
    let (mut below, mut cut) = (0.0, None);
    for k in 0..n {
        below += term;
        if below > 0.025 {
            break;
        }
        cut = Some(k);
        term *= (n - k) as f64 / (k + 1) as f64;
    }
    cut
}

/// What the rounds said about one row.
#[derive(Debug)]
struct Row {
    name: String,
    limit: Option<f64>,
    strict: bool,
    ratios: Vec<f64>,
    nanos: [Vec<f64>; 2],
    allocations: [f64; 2],
}

impl Row {
    /// The median ratio and its 95 % interval.
    fn summary(&self) -> (f64, Option<(f64, f64)>) {
        let mut ratios = self.ratios.clone();
        let value = median(&mut ratios);
        let n = ratios.len();
        (value, cut(n).map(|cut| (ratios[cut], ratios[n - 1 - cut])))
    }

    fn verdict(&self) -> &'static str {
        match (self.limit, self.summary().1) {
            (None, _) => "-",
            (Some(limit), Some((_, upper))) if upper <= limit => "ok",
            (Some(limit), Some((lower, _))) if lower > limit => "short",
            _ => "inconclusive",
        }
    }
}

/// The `main` of a bench target: `--quick` finishes in under a minute, any other word picks the rows that contain it.
pub fn run(round: impl FnOnce(&Round)) -> ExitCode {
    let mut args: Vec<String> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == ROUND) {
        let pairs = args.get(1).and_then(|pairs| pairs.parse().ok()).unwrap_or(SMOKE.pairs);
        round(&Round { pairs, only: args.split_off(2) });
        return ExitCode::SUCCESS;
    }
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let effort = match (has("--bench"), has("--quick")) {
        (false, _) => SMOKE,
        (true, true) => QUICK,
        (true, false) => FULL,
    };
    let filter: Vec<String> = args.iter().filter(|arg| !arg.starts_with('-')).cloned().collect();
    match collect(effort, filter) {
        Ok(rows) => {
            report(&rows);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn collect(effort: Effort, filter: Vec<String>) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..effort.rounds {
        one_round(effort.pairs, &filter, &mut rows)?;
    }
    for _ in effort.rounds..effort.most_rounds {
        let open: Vec<String> =
            rows.iter().filter(|row| row.verdict() == "inconclusive").map(|row| row.name.clone()).collect();
        if open.is_empty() {
            break;
        }
        one_round(effort.pairs, &open, &mut rows)?;
    }
    Ok(rows)
}

fn one_round(pairs: usize, only: &[String], rows: &mut Vec<Row>) -> Result<(), String> {
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
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let numbers: Result<Vec<f64>, _> = words.map(str::parse).collect();
        let Ok([limit, strict, ratio, ours, peer, our_allocations, peer_allocations]) =
            <[f64; 7]>::try_from(numbers.map_err(|error| format!("{line}: {error}"))?)
        else {
            return Err(format!("not a row: {line}"));
        };
        let at = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            rows.push(Row {
                name: name.to_owned(),
                limit: Some(limit).filter(|limit| !limit.is_nan()),
                strict: strict != 0.0,
                ratios: Vec::new(),
                nanos: Default::default(),
                allocations: [0.0; 2],
            });
            rows.len() - 1
        });
        let row = &mut rows[at];
        row.ratios.push(ratio);
        for (all, one) in row.nanos.iter_mut().zip([ours, peer]) {
            all.push(one);
        }
        for (most, one) in row.allocations.iter_mut().zip([our_allocations, peer_allocations]) {
            *most = most.max(one);
        }
    }
    Ok(())
}

fn report(rows: &[Row]) {
    let target = |row: &Row| row.limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.4}"));
    println!("| row | ours, ns | peer, ns | ratio | 95 % interval | target | allocations, ours : peer | rounds |");
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        let [ours, peer] = row.nanos.clone().map(|mut nanos| median(&mut nanos));
        let (ratio, interval) = row.summary();
        let interval = interval.map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:.4} to {high:.4}"));
        println!(
            "| {} | {ours:.2} | {peer:.2} | {ratio:.4} | {interval} | {} | {} : {} | {} |",
            row.name,
            target(row),
            row.allocations[0],
            row.allocations[1],
            row.ratios.len(),
        );
    }
    println!();
    for row in rows {
        println!("ratio {} {:.4} {} {}", row.name, row.summary().0, target(row), row.verdict());
    }
    for row in rows.iter().filter(|row| row.strict) {
        let verdict = if row.allocations[0] == 0.0 { "ok" } else { "short" };
        println!("allocations {} {} 0 {verdict}", row.name, row.allocations[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_leaves_out_what_the_binomial_distribution_allows() {
        assert_eq!([5, 6, 8, 9, 17].map(cut), [None, Some(0), Some(0), Some(1), Some(4)]);
    }

    #[test]
    fn a_row_is_ok_only_when_its_whole_interval_meets_the_target() {
        let row = |ratios: &[f64]| Row {
            name: String::new(),
            limit: Some(1.0),
            strict: false,
            ratios: ratios.to_vec(),
            nanos: Default::default(),
            allocations: [0.0; 2],
        };
        assert_eq!(row(&[0.9; 6]).verdict(), "ok");
        assert_eq!(row(&[1.1; 6]).verdict(), "short");
        assert_eq!(row(&[0.9, 0.9, 0.9, 0.9, 0.9, 1.1]).verdict(), "inconclusive");
        assert_eq!(row(&[0.9; 5]).verdict(), "inconclusive");
    }

    #[test]
    fn allocations_of_this_thread_are_counted_and_only_while_asked() {
        let counted = allocations::count(|| drop(std::hint::black_box(vec![1u8])));
        assert_eq!((counted, allocations::count(|| ())), (1, 0));
    }
}
