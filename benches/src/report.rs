//! What the rounds said, with its confidence.

/// What the rounds said about one row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    unit: String,
    most: Option<f64>,
    strict: bool,
    /// Counted, not timed: the largest value decides, and there is no interval.
    exact: bool,
    values: Vec<f64>,
    sides: [Vec<f64>; 2],
    allocations: [f64; 2],
}

impl Row {
    pub(crate) fn new(name: &str, unit: &str, most: Option<f64>, strict: bool) -> Self {
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            most,
            strict,
            exact: false,
            values: Vec::new(),
            sides: Default::default(),
            allocations: [0.0; 2],
        }
    }

    pub(crate) fn exact(name: &str, unit: &str, most: Option<f64>) -> Self {
        Self { exact: true, ..Self::new(name, unit, most, false) }
    }

    /// One round's value.
    pub(crate) fn add(&mut self, value: f64, sides: [f64; 2], allocations: [f64; 2]) {
        self.values.push(value);
        for (all, one) in self.sides.iter_mut().zip(sides) {
            all.push(one);
        }
        for (most, one) in self.allocations.iter_mut().zip(allocations) {
            *most = most.max(one);
        }
    }

    /// The median value and its 95 % interval.
    fn summary(&self) -> (f64, Option<(f64, f64)>) {
        let mut values = self.values.clone();
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len();
        let cut = if self.exact { Some(0) } else { cut(n) };
        (median(values.iter().copied()), cut.map(|cut| (values[cut], values[n - 1 - cut])))
    }

    pub(crate) fn verdict(&self) -> &'static str {
        match (self.most, self.summary().1) {
            (None, _) => "-",
            (Some(most), Some((_, upper))) if upper <= most => "ok",
            (Some(most), Some((lower, _))) if lower > most => "short",
            _ => "inconclusive",
        }
    }
}

pub(crate) fn print(rows: &[Row]) {
    let target = |row: &Row| row.most.map_or_else(|| "-".to_owned(), short);
    println!("| row | unit | ours | peer | value | 95 % interval | target | allocations, ours : peer | rounds |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let [ours, peer] = [0, 1].map(|side| short(median(row.sides[side].iter().copied())));
        let (value, interval) = row.summary();
        let interval = match interval {
            Some((low, high)) if row.exact => format!("exact: {} to {}", short(low), short(high)),
            Some((low, high)) => format!("{} to {}", short(low), short(high)),
            None => "-".to_owned(),
        };
        let allocations = if row.exact { "-".to_owned() } else { row.allocations.map(short).join(" : ") };
        println!(
            "| {} | {} | {ours} | {peer} | {} | {interval} | {} | {allocations} | {} |",
            row.name,
            row.unit,
            short(value),
            target(row),
            row.values.len(),
        );
    }
    println!();
    for row in rows {
        println!("ratio {} {} {} {}", row.name, short(row.summary().0), target(row), row.verdict());
    }
    for row in rows.iter().filter(|row| row.strict) {
        let verdict = if row.allocations[0] == 0.0 { "ok" } else { "short" };
        println!("allocations {} {} 0 {verdict}", row.name, row.allocations[0]);
    }
}

/// Four significant digits, more or less.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1_000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_leaves_out_what_the_binomial_distribution_allows() {
        assert_eq!([5, 6, 8, 9, 17].map(cut), [None, Some(0), Some(0), Some(1), Some(4)]);
    }

    #[test]
    fn a_row_is_ok_only_when_its_whole_interval_meets_the_target() {
        let verdict = |values: &[f64]| {
            let mut row = Row::new("row", "ratio", Some(1.0), false);
            values.iter().for_each(|value| row.add(*value, [1.0; 2], [0.0; 2]));
            row.verdict()
        };
        assert_eq!(verdict(&[0.9; 6]), "ok");
        assert_eq!(verdict(&[1.1; 6]), "short");
        assert_eq!(verdict(&[0.9, 0.9, 0.9, 0.9, 0.9, 1.1]), "inconclusive");
        assert_eq!(verdict(&[0.9; 5]), "inconclusive");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.02371, 0.5, 87.0, 26.126, 7_012.4].map(short), ["0.0237", "0.5", "87", "26.13", "7012"]);
    }
}
