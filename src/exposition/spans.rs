//! How protobuf writes the buckets of a native histogram: as runs of buckets, and as differences of counts.

/// Buckets without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The index of the first bucket for the first span; for others the buckets that are left out before it.
    pub(super) offset: i32,
    pub(super) length: u32,
}

/// A gap of at most so many buckets is written as empty buckets, because a new span takes more bytes.
const SMALL_GAP: i32 = 2;

/// The spans of these buckets, whose indices rise, and the difference of each count to that of the bucket before it.
pub(super) fn spans(buckets: &[(i32, u64)]) -> (Vec<Span>, Vec<i64>) {
    let (mut spans, mut deltas) = (Vec::<Span>::new(), Vec::new());
    let (mut next, mut before) = (0i32, 0u64);
    let mut delta = |count: u64| {
        deltas.push(count.wrapping_sub(before) as i64);
        before = count;
    };
    for &(index, count) in buckets {
        let gap = index.wrapping_sub(next);
        match spans.last_mut() {
            Some(span) if gap <= SMALL_GAP => {
                (0..gap).for_each(|_| delta(0));
                span.length = span.length.wrapping_add(gap as u32).wrapping_add(1);
            }
            _ => spans.push(Span { offset: gap, length: 1 }),
        }
        delta(count);
        next = index.wrapping_add(1);
    }
    (spans, deltas)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, with its gap of one bucket filled.
    #[test]
    fn small_gaps_are_filled_and_others_begin_a_span() {
        let span = |offset, length| Span { offset, length };
        let buckets = [(-2, 3), (-1, 5), (2, 1), (4, 3), (5, 2)];
        assert_eq!(spans(&buckets), (vec![span(-2, 8)], vec![3, 2, -5, 0, 1, -1, 3, -1]));
        assert_eq!(spans(&[(7, 4), (11, 1)]), (vec![span(7, 1), span(3, 1)], vec![4, -3]));
        assert_eq!(spans(&[(-9, u64::MAX), (-8, 0)]), (vec![span(-9, 2)], vec![-1, 1]));
        assert_eq!(spans(&[]), (vec![], vec![]));
    }
}
