//! Which unknown are asked about next.

use std::collections::BTreeSet;

use crate::model::Index;
use crate::watch::coverage::UnknownRange;
use crate::watch::evidence::WaitSpan;

/// How many are asked into unknown, where nobody knows whether there is anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// So many questions in all at most.
    pub most: usize,
    /// A range is worth another question where each gets at least this many indexes.
    pub worth: u64,
}

/// Chooses up to `free` positions to ask from, given the unknown and the positions that are
/// asked from already. First each range at its start, in order, since that is what the cursor
/// waits for, and what lies behind it answers; then the widest stretch in its middle, where nobody
/// knows whether there is anything, as far as `spread` goes.
#[must_use]
pub fn choose(
    unknown: &[UnknownRange],
    asked: &BTreeSet<Index>,
    free: usize,
    spread: Spread,
) -> Vec<Index> {
    let mut chosen = Vec::new();
    let mut stretches = Vec::new();
    for range in unknown {
        if chosen.len() == free {
            return chosen;
        }
        if !asked.contains(&range.after) {
            chosen.push(range.after);
        }
        // Where questions are under way in the middle of a range, it is that many stretches.
        let mut after = range.after;
        for &middle in asked.range(range.after.next()..range.upto) {
            stretches.push(UnknownRange {
                after,
                upto: middle,
            });
            after = middle;
        }
        stretches.push(UnknownRange {
            after,
            upto: range.upto,
        });
    }
    while chosen.len() < free.min(spread.most) {
        let Some(widest) = stretches.iter_mut().max_by_key(|range| range.width()) else {
            break;
        };
        if widest.width() < 2 * spread.worth {
            break;
        }
        let middle = Index(widest.after.0 + widest.width() / 2);
        chosen.push(middle);
        let rest = UnknownRange {
            after: middle,
            upto: widest.upto,
        };
        widest.upto = middle;
        stretches.push(rest);
    }
    chosen
}

/// How far from `cursor` on each index lies in two spans that prove it together.
#[must_use]
pub fn covered_twice(cursor: Index, spans: &[WaitSpan]) -> Index {
    let mut reached = cursor;
    loop {
        let spans: Vec<WaitSpan> = spans
            .iter()
            .filter(|one| one.after <= reached && one.upto > reached)
            .copied()
            .collect();
        let others = |place: usize| spans.iter().skip(place + 1);
        let pairs = spans.iter().enumerate().flat_map(|(place, one)| {
            others(place).filter_map(|other| one.overlap(*other).map(|(_, upto)| upto))
        });
        match pairs.max() {
            Some(upto) => reached = upto,
            None => return reached,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(after: u64, upto: u64) -> UnknownRange {
        UnknownRange {
            after: Index(after),
            upto: Index(upto),
        }
    }

    fn asked<const N: usize>(positions: [u64; N]) -> BTreeSet<Index> {
        positions.into_iter().map(Index).collect()
    }

    fn spread(most: usize) -> Spread {
        Spread { most, worth: 2 }
    }

    fn positions(chosen: Vec<Index>) -> Vec<u64> {
        chosen.into_iter().map(|index| index.0).collect()
    }

    #[test]
    fn what_the_cursor_waits_for_is_asked_first() {
        let unknown = [range(10, 11), range(20, 500)];
        assert_eq!(positions(choose(&unknown, &asked([]), 1, spread(1))), [10]);
        assert_eq!(
            positions(choose(&unknown, &asked([]), 2, spread(2))),
            [10, 20]
        );
    }

    #[test]
    fn only_what_nobody_may_answer_is_asked_with_caution() {
        let unknown = [range(10, 500), range(600, 601), range(700, 701)];
        let chosen = choose(&unknown, &asked([]), 8, spread(1));
        assert_eq!(positions(chosen), [10, 600, 700]);
        let chosen = choose(&unknown, &asked([]), 8, spread(4));
        assert_eq!(positions(chosen), [10, 600, 700, 255]);
    }

    #[test]
    fn nothing_is_asked_twice() {
        let unknown = [range(10, 12), range(20, 22)];
        assert_eq!(
            positions(choose(&unknown, &asked([10, 20]), 4, spread(4))),
            [0u64; 0]
        );
    }

    #[test]
    fn a_wide_hole_is_asked_in_parts() {
        let unknown = [range(0, 1000)];
        assert_eq!(
            positions(choose(&unknown, &asked([]), 4, spread(4))),
            [0, 500, 750, 250]
        );
        assert_eq!(
            positions(choose(&unknown, &asked([0, 500]), 1, spread(1))),
            [750]
        );
    }

    #[test]
    fn what_is_asked_twice_is_known_from_the_testimonies() {
        let span = |after, upto, asked| WaitSpan {
            after: Index(after),
            upto: Index(upto),
            sent: asked,
            last_sent: Some(asked),
        };
        let reach = |spans: &[(u64, u64)]| {
            let asked = spans.iter().zip(1..);
            let spans: Vec<WaitSpan> = asked
                .map(|(&(after, upto), asked)| span(after, upto, asked))
                .collect();
            covered_twice(Index(5), &spans).0
        };
        assert_eq!(reach(&[]), 5);
        assert_eq!(reach(&[(5, 9)]), 5);
        assert_eq!(reach(&[(5, 9), (5, 12)]), 9);
        assert_eq!(reach(&[(5, 9), (5, 12), (9, 20)]), 12);
        assert_eq!(reach(&[(5, 9), (5, 9), (10, 12), (10, 12)]), 9);
        // Asked together.
        let together = [span(5, 9, 1), span(5, 9, 1)];
        assert_eq!(covered_twice(Index(5), &together).0, 5);
    }

    #[test]
    fn a_narrow_hole_is_not() {
        let chosen = choose(&[range(0, 3)], &asked([0]), 4, spread(4));
        assert_eq!(positions(chosen), [0u64; 0]);
    }
}
