//! The choice of the indexes after which the next questions ask.

use std::collections::BTreeSet;

use crate::model::Index;
use crate::watch::coverage::UnknownRange;
use crate::watch::evidence::WaitSpan;

/// How many questions a wide unknown range is split into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The largest number of questions in all.
    pub most: usize,
    /// A range is split if each part has at least this many indexes.
    pub worth: u64,
}

/// Chooses up to `free` indexes after which to ask, given the unknown ranges and the indexes of the
/// questions in flight.
///
/// The start of each range comes first, in order, because the cursor waits for it and the event behind
/// the range answers it. Then come the middles of the widest ranges, as far as `spread` allows: there
/// may be no event to answer those.
#[must_use]
pub fn choose(
    unknown: &[UnknownRange],
    asked: &BTreeSet<Index>,
    free: usize,
    spread: Spread,
) -> Vec<Index> {
    let mut chosen = Vec::new();
    let mut parts = Vec::new();
    for range in unknown {
        if chosen.len() == free {
            return chosen;
        }
        if !asked.contains(&range.after) {
            chosen.push(range.after);
        }
        // Questions in flight in the middle of a range split it.
        let mut after = range.after;
        for &middle in asked.range(range.after.next()..range.upto) {
            parts.push(UnknownRange {
                after,
                upto: middle,
            });
            after = middle;
        }
        parts.push(UnknownRange {
            after,
            upto: range.upto,
        });
    }
    while chosen.len() < free.min(spread.most) {
        let Some(widest) = parts.iter_mut().max_by_key(|range| range.width()) else {
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
        parts.push(rest);
    }
    chosen
}

/// The index up to which every index after `cursor` lies in two independent waits.
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
    fn the_range_at_the_cursor_is_asked_about_first() {
        let unknown = [range(10, 11), range(20, 500)];
        assert_eq!(positions(choose(&unknown, &asked([]), 1, spread(1))), [10]);
        assert_eq!(
            positions(choose(&unknown, &asked([]), 2, spread(2))),
            [10, 20]
        );
    }

    #[test]
    fn only_questions_in_the_middle_of_a_range_are_limited() {
        let unknown = [range(10, 500), range(600, 601), range(700, 701)];
        let chosen = choose(&unknown, &asked([]), 8, spread(1));
        assert_eq!(positions(chosen), [10, 600, 700]);
        let chosen = choose(&unknown, &asked([]), 8, spread(4));
        assert_eq!(positions(chosen), [10, 600, 700, 255]);
    }

    #[test]
    fn a_question_in_flight_is_not_repeated() {
        let unknown = [range(10, 12), range(20, 22)];
        assert_eq!(
            positions(choose(&unknown, &asked([10, 20]), 4, spread(4))),
            [0u64; 0]
        );
    }

    #[test]
    fn a_wide_range_is_asked_about_in_parts() {
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
    fn two_independent_waits_cover_an_index() {
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
        // Two waits that were sent together are not independent.
        let together = [span(5, 9, 1), span(5, 9, 1)];
        assert_eq!(covered_twice(Index(5), &together).0, 5);
    }

    #[test]
    fn a_narrow_range_is_not_split() {
        let chosen = choose(&[range(0, 3)], &asked([0]), 4, spread(4));
        assert_eq!(positions(chosen), [0u64; 0]);
    }
}
